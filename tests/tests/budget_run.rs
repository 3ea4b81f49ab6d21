//! What `illico run -- true` costs, as counts: from exec to exit, on the host's own files, with the stock 6.12 kernel.
//!
//! KVM's tracepoint counts, by the lab's instruction clock; host interrupts (INTR) are left out (see `budget_boot.rs`).
//! illico holds the same runs to the same numbers (`--budget`).

use illico_tests::Guest;
use illico_tests::user::{online, stage};

/// `count_run NAME run|online WORDS`: `illico run` with these words, as the plain user, its exits counted by KVM and by itself.
const COUNT: &str = r#"
cp *.toml /tmp
count_run() {
    name=$1; shift
    kind=$1; shift
    echo "$kind --exits --exits-json /tmp/$name.json $*" >/tmp/$name.sh
    count-exits su user -c "PATH=$PATH; . /home/user/.cases; . /tmp/$name.sh" >$name.console 2>$name.messages
    echo $? >$name.status
    cp /tmp/$name.json .
    cp /tmp/exits.txt $name.exits
}
"#;

const OVER_BUDGET: u8 = 105;

/// For illico's own eyes.
fn budget(most: u64) -> String {
    format!("total = {most}\n[reasons]\nport = 10\n")
}

fn assert_within_budget(guest: &Guest, most: u64) {
    let exits = guest.counted();
    let table = format!("{} (budget: {most} without INTR):\n{exits}{}", guest.name, guest.messages);
    eprintln!("{table}");
    assert!(guest.status == 0 && exits.without_intr() <= most, "{table}");
}

#[test]
fn a_program_on_the_host_s_files_runs_within_2600_exits() {
    let ran = stage()
        .instruction_clock()
        .bytes("budget.toml", budget(2600))
        .bytes("tight.toml", budget(650))
        .script(COUNT)
        .script("count_run none run --budget /tmp/budget.toml -- true")
        .fetch("none.exits")
        .guest("none")
        .script("count_run tight run --budget /tmp/tight.toml -- true")
        .guest("tight")
        .run();
    let tight = ran.guest("tight");
    assert_eq!(tight.status, OVER_BUDGET, "{tight}");
    assert!(tight.messages.contains("\ntotal                         650 "), "{tight}");
    assert_within_budget(&ran.guest("none"), 2600);
}

#[test]
fn with_the_network_of_the_user_it_is_3000() {
    let ran = online()
        .instruction_clock()
        .bytes("budget.toml", budget(3000))
        .script(COUNT)
        .script("count_run user online --budget /tmp/budget.toml -- true")
        .fetch("user.exits")
        .guest("user")
        .run();
    assert_within_budget(&ran.guest("user"), 3000);
}
