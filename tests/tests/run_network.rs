//! The network of `illico run`, in the lab, as a plain user: a port of the host leads to a server in a machine, and what stands in
//! the way is told.

use illico_tests::user::{became, case, online, stage};

#[test]
fn a_port_of_the_host_leads_to_a_server_in_a_machine() {
    let cases = [
        (
            "served",
            "mkdir w; echo hello from inside >w/index.html; \
             online -d --name web -p 8080:8000 -- busybox httpd -f -p 8000 -h /home/user/w; \
             for n in $(seq 20); do timeout -s KILL 15 wget -q -O - http://127.0.0.1:8080/index.html && break; sleep 1; done; \
             illico exec web ip -4 -o addr show eth0 | grep -c 10.0.2.15/24; illico exec web cat /etc/resolv.conf",
        ),
        ("in-use", "online -p 8080:1 -- true; echo $?; illico ps --all --quiet"),
        ("freed", "illico rm -f web; online -p 8080:1 -- true; echo $?"),
        ("wrong", "online -p 80 -- true; echo $?; run -p 1:2 -- true; echo $?"),
    ];
    let mut stage = online();
    for (name, commands) in cases {
        stage = case(stage, name, commands);
    }
    let ran = stage.run();
    let served = became(&ran, "served");
    assert_eq!(served.out, "web\nhello from inside\n1\nnameserver 10.0.2.3\n", "{served:?}");
    let in_use = became(&ran, "in-use");
    assert_eq!(in_use.out, "125\nweb\n", "{in_use:?}");
    assert!(in_use.err.contains("-p 8080:1: port 8080 of the host cannot be had"), "{in_use:?}");
    let freed = became(&ran, "freed");
    assert_eq!(freed.out, "0\n", "{freed:?}");
    let wrong = became(&ran, "wrong");
    assert_eq!(wrong.out, "125\n125\n", "{wrong:?}");
    assert!(wrong.err.contains("8080:80") && wrong.err.contains("--net user"), "{wrong:?}");
}

#[test]
fn a_host_without_passt_is_told_what_to_install() {
    let ran = case(stage(), "missing", "online -- true").run();
    let missing = became(&ran, "missing");
    assert_eq!(missing.status, 125, "{missing:?}");
    assert!(
        missing.err.contains("--net user: it needs the program passt") && missing.err.contains("install"),
        "{missing:?}"
    );
}
