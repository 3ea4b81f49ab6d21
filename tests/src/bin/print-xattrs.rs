//! A program for inside a guest: the extended attributes of a file, as `NAME=VALUE` with the value in hexadecimal digits.

use std::error::Error;

use rustix::fs::{getxattr, listxattr};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: print-xattrs FILE")?;
    let mut names = vec![0; 64 << 10];
    let len = listxattr(&*path, &mut names[..])?;
    let mut names: Vec<&str> =
        names[..len].split(|&byte| byte == 0).filter_map(|name| str::from_utf8(name).ok()).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    for name in names {
        let mut value = vec![0; 64 << 10];
        let len = getxattr(&*path, name, &mut value[..])?;
        let value: String = value[..len].iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{name}={value}");
    }
    Ok(())
}
