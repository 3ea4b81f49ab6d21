//! A plain user on the stage: uid 1000, a home, /dev/kvm, and no capability.
//!
//! `as_user NAME COMMANDS` in a script runs commands as that user, in the home, and leaves `NAME.out`, `NAME.err` and
//! `NAME.status`; `run` in the commands is `illico run` with the stock 6.12 kernel
//! and no network, `online` the same with that of the user (see [`online`]).

use xtask::packages;

use crate::{Ran, Stage};

/// What a script begins with.
const PRELUDE: &str = r#"
echo 'user:x:1000:1000::/home/user:/bin/sh' >>/etc/passwd
echo 'user:x:1000:' >>/etc/group
mkdir -p /home/user
chown user:user /home/user
chmod 666 /dev/kvm
cat >/home/user/.cases <<'END'
cd /home/user
export HOME=/home/user
illico() { timeout -s KILL 100 /bin/illico "$@"; }
run() { illico run --net none --kernel /kernels/6.12/vmlinux "$@"; }
online() { illico run --kernel /kernels/6.12/vmlinux "$@"; }
END
as_user() {
    su user -c "PATH=$PATH; . /home/user/.cases
$2" >$1.out 2>$1.err </dev/null
    echo $? >$1.status
}
"#;

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub status: u8,
    pub out: String,
    pub err: String,
}

/// What is expected of a case.
pub fn is(status: u8, out: &str, err: &str) -> Case {
    Case { status, out: out.to_owned(), err: err.to_owned() }
}

/// A stage with a plain user on it.
pub fn stage() -> Stage {
    Stage::new().only_in_the_lab("users are made for it").script(PRELUDE)
}

/// A stage with passt on it, and a card with a default route, which passt asks for.
pub fn online() -> Stage {
    packages::require(&[("passt", "passt")]).unwrap_or_else(|error| panic!("{error}"));
    let passt = packages::find_program("passt").unwrap_or_else(|| panic!("the package passt has no such program"));
    stage().module("tun").program(passt).script(CARD)
}

/// Nothing is behind the card: what is asked for lies on the host itself.
const CARD: &str = "
cp passt /bin/
tunctl -t up0 >/dev/null
ip addr add 192.168.77.1/24 dev up0
ip link set up0 up
ip route add default via 192.168.77.2 dev up0
";

/// Adds a case.
pub fn case(stage: Stage, name: &str, commands: &str) -> Stage {
    let quoted = commands.replace('\'', r"'\''");
    let stage = stage.script(&format!("as_user {name} '{quoted}'"));
    ["out", "err", "status"].iter().fold(stage, |stage, part| stage.fetch(&format!("{name}.{part}")))
}

/// What became of it.
pub fn became(ran: &Ran, name: &str) -> Case {
    let status = ran.text(&format!("{name}.status"));
    Case {
        status: status.trim().parse().unwrap_or_else(|_| panic!("{name} has status {status:?}")),
        out: ran.text(&format!("{name}.out")),
        err: ran.text(&format!("{name}.err")),
    }
}
