//! Who runs a command: passwd(5) and group(5) of the guest's root.

/// The two files, read when they are asked for.
pub(crate) trait Accounts {
    fn passwd(&self) -> String;
    fn group(&self) -> String;
}

/// Those in /etc. A root without them has only numbers.
#[derive(Debug)]
pub(crate) struct Etc;

impl Accounts for Etc {
    fn passwd(&self) -> String {
        read("/etc/passwd")
    }

    fn group(&self) -> String {
        read("/etc/group")
    }
}

fn read(path: &str) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// What a process becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

impl User {
    /// Root, whose entry nobody need look up.
    fn root() -> Self {
        Self { uid: 0, gid: 0, groups: Vec::new(), home: "/root".to_owned() }
    }

    /// The user that `user`, `user:group` or their numbers name. `None` is root.
    ///
    /// A number that no entry has is fine, its group is then 0 and its home `/`. A named group stands alone, as in `docker run --user`.
    pub(crate) fn find(name: Option<&str>, accounts: &impl Accounts) -> Result<Self, String> {
        let Some(name) = name else { return Ok(Self::root()) };
        let (user, group) = name.split_once(':').map_or((name, None), |(user, group)| (user, Some(group)));
        let mut found = Self::by_name(user, group.is_none(), accounts)?;
        if let Some(group) = group {
            found.gid = gid(group, accounts)?;
        }
        Ok(found)
    }

    fn by_name(name: &str, with_groups: bool, accounts: &impl Accounts) -> Result<Self, String> {
        if name == "root" || name == "0" {
            return Ok(Self::root());
        }
        let number = name.parse::<u32>().ok();
        let passwd = accounts.passwd();
        let entry = passwd.lines().map(fields).find(|entry| match number {
            Some(uid) => entry.get(2).is_some_and(|field| field.parse() == Ok(uid)),
            None => entry.first() == Some(&name),
        });
        let parsed = entry.as_ref().and_then(|entry| match entry[..] {
            [name, _, uid, gid, _, home, ..] => Some((name, uid.parse().ok()?, gid.parse().ok()?, home)),
            _ => None,
        });
        match (parsed, number) {
            (Some((name, uid, gid, home)), _) => {
                let groups = if with_groups { groups_of(name, gid, &accounts.group()) } else { Vec::new() };
                let home = if home.is_empty() { "/" } else { home };
                Ok(Self { uid, gid, groups, home: home.to_owned() })
            }
            (None, Some(uid)) => Ok(Self { uid, gid: 0, groups: Vec::new(), home: "/".to_owned() }),
            (None, None) => Err(format!("there is no user {name:?} in the guest's /etc/passwd")),
        }
    }
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

/// The groups that list this user as a member, beside its own.
fn groups_of(user: &str, own: u32, group: &str) -> Vec<u32> {
    let mut groups = vec![own];
    for entry in group.lines().map(fields) {
        if let [_, _, gid, members, ..] = entry[..]
            && members.split(',').any(|member| member == user)
            && let Ok(gid) = gid.parse()
            && !groups.contains(&gid)
        {
            groups.push(gid);
        }
    }
    groups
}

fn gid(name: &str, accounts: &impl Accounts) -> Result<u32, String> {
    if let Ok(gid) = name.parse() {
        return Ok(gid);
    }
    let group = accounts.group();
    let mut entries = group.lines().map(fields).filter(|entry| entry.first() == Some(&name));
    let gid = entries.find_map(|entry| entry.get(2)?.parse().ok());
    gid.ok_or_else(|| format!("there is no group {name:?} in the guest's /etc/group"))
}

#[cfg(test)]
#[path = "user_test.rs"]
mod tests;
