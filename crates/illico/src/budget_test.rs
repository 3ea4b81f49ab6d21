use illico_machine::report::{DeviceReport, MonitorRow, QueueReport, ReasonRow, VcpuReport};

use super::*;

fn vcpu(vcpu: u8, exits: Option<u64>, reasons: &[(&'static str, u64, Option<u64>)]) -> VcpuReport {
    let reasons = reasons.iter().map(|&(reason, monitor, kernel)| ReasonRow { reason: reason.into(), monitor, kernel });
    VcpuReport { vcpu, exits, reasons: reasons.collect(), counted_twice: 0 }
}

/// Two vCPUs with 100 and 60 exits, 30 of them the host's; a disk that was kicked 7 times and came up twice.
fn report() -> Report {
    let queue = |queue, kicks| QueueReport { queue, kicks, ..QueueReport::default() };
    Report {
        schema: "".into(),
        vcpus: vec![
            vcpu(0, Some(100), &[("port", 5, Some(1)), ("host-interrupt", 0, Some(20)), ("signal", 3, None)]),
            vcpu(1, Some(60), &[("port", 4, Some(0)), ("host-interrupt", 0, Some(10)), ("signal", 0, None)]),
        ],
        monitor: vec![MonitorRow { party: "disk0".into(), access: "mmio-write".into(), exits: 2 }],
        devices: vec![DeviceReport {
            name: "disk0".into(),
            kind: "block".into(),
            queues: vec![queue(0, 4), queue(1, 3)],
        }],
    }
}

fn excess(text: &str) -> Vec<(String, u64, u64)> {
    let passed = Budget::parse(text).unwrap().excess(&report()).unwrap();
    passed.into_iter().map(|excess| (excess.name, excess.allowed, excess.spent)).collect()
}

#[test]
fn what_is_spent_exactly_is_within_the_budget() {
    assert_eq!(excess("total = 127\n[reasons]\nport = 10\nkick = 7\nsignal = 3\n[devices]\ndisk0 = 9"), []);
}

#[test]
fn each_limit_that_is_passed_is_told_with_what_was_spent() {
    let all = excess("total = 126\n[reasons]\nport = 9\nkick = 6\n[devices]\ndisk0 = 8");
    let expected = [("total", 126, 127), ("kick", 6, 7), ("port", 9, 10), ("disk0", 8, 9)];
    assert_eq!(all, expected.map(|(name, allowed, spent)| (name.to_owned(), allowed, spent)));
}

#[test]
fn a_name_that_is_none_is_refused_with_the_list() {
    let wrong = |text: &str| Budget::parse(text).unwrap_err().to_string();
    assert!(wrong("[reasons]\nsorbet = 1").starts_with("there is no reason \"sorbet\"; these are: port, mmio, kick"));
    assert!(wrong("totl = 1").contains("unknown field `totl`") && wrong("totl = 1").ends_with("at line 1"));
    assert!(wrong("\ntotal = -1").ends_with("at line 2"), "{}", wrong("\ntotal = -1"));
    assert!(wrong("[devices]\ndisk0 = 'few'").contains("at line 2"));
    assert_eq!(wrong("# nothing"), BudgetError::Empty.to_string());
    let budget = Budget::parse("[devices]\ndisk1 = 1").unwrap();
    let error = budget.check(["console", "disk0"].into_iter()).unwrap_err().to_string();
    assert_eq!(
        error,
        "this machine has no device \"disk1\"; it has: console, disk0, nobody, pci-config, ioapic, acpi, uart, rtc"
    );
    assert_eq!(budget.check(["disk1"].into_iter()), Ok(()));
    let parties = Budget::parse("[devices]\npci-config = 1").unwrap();
    assert_eq!(parties.check(std::iter::empty()), Ok(()), "who answers without being a device has a name, too");
}

#[test]
fn what_this_host_does_not_count_cannot_be_held() {
    let mut silent = report();
    silent.vcpus[1] = vcpu(1, None, &[("port", 4, None), ("signal", 0, None)]);
    let held = |text: &str| Budget::parse(text).unwrap().excess(&silent);
    for (text, name) in [("total = 1", "total"), ("[reasons]\nport = 1", "port")] {
        assert_eq!(held(text), Err(BudgetError::NotCounted { name: name.to_owned() }));
    }
    assert_eq!(held("[reasons]\nkick = 7\nsignal = 3\n[devices]\ndisk0 = 9"), Ok(vec![]));
}
