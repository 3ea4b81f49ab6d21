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
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// The kernel takes numbers up to this one; -1 would change nothing.
const MAX_ID: u32 = i32::MAX as u32;

impl User {
    /// The user that `user`, `user:group`, `:group` or numbers in their places name, as `docker run --user` has it. No name
    /// is root.
    ///
    /// A number without an entry is fine: its group is then 0, and its home `/`. A named group comes alone, without the
    /// groups that list the user. Where all is numbers and the home is of no interest, the files are not read, which would cost
    /// requests to the host if it shares them.
    pub(crate) fn find(name: Option<&str>, needs_home: bool, accounts: &impl Accounts) -> Result<Self, String> {
        let (user, group) = name.unwrap_or_default().split_once(':').unwrap_or((name.unwrap_or_default(), ""));
        let user = if user.is_empty() { "0" } else { user };
        if let (false, Some(uid), Some(gid)) = (needs_home, number(user, "user")?, number(group, "group")?) {
            return Ok(Self { uid, gid, groups: Vec::new(), home: "/".to_owned() });
        }
        let mut found = Self::by_name(user, group.is_empty(), accounts)?;
        if !group.is_empty() {
            found.gid = gid(group, accounts)?;
        }
        Ok(found)
    }

    fn by_name(name: &str, with_groups: bool, accounts: &impl Accounts) -> Result<Self, String> {
        let number = number(name, "user")?;
        let passwd = accounts.passwd();
        let entries = passwd.lines().map(fields).filter(|entry| match number {
            Some(uid) => entry.get(2).is_some_and(|field| field.parse() == Ok(uid)),
            None => entry.first() == Some(&name),
        });
        let parsed = entries.filter_map(|entry| match entry[..] {
            [name, _, uid, gid, _, home, ..] => Some((name, uid.parse().ok()?, gid.parse().ok()?, home)),
            _ => None,
        });
        match (parsed.into_iter().next(), number) {
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

/// The number that a name is, if it is one.
fn number(name: &str, what: &str) -> Result<Option<u32>, String> {
    match name.parse::<u64>() {
        Ok(number) if number > u64::from(MAX_ID) => Err(format!("the {what} {name} is above {MAX_ID}")),
        Ok(number) => Ok(u32::try_from(number).ok()),
        Err(_) => Ok(None),
    }
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

/// The user's own group, and those that list it as a member.
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
    if let Some(gid) = number(name, "group")? {
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
