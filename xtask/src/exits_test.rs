//! The histogram's file format and sums.

use super::ExitHistogram;

const TEXT: &str = "96 INTR 870\n100 VINTR 3\n114 CPUID 773\n1024 NPF 588\n16 CR0_WRITE 2\n20 CR4_WRITE 9\n";

#[test]
fn counts_are_found_by_name_and_a_missing_reason_is_zero() {
    let exits = ExitHistogram::parse(TEXT).expect("well formed");
    assert_eq!(exits.count("NPF"), 588);
    assert_eq!(exits.count("INTR"), 870);
    assert_eq!(exits.count("VINTR"), 3);
    assert_eq!(exits.count("IOIO"), 0);
    assert_eq!(exits.count_prefix("CR"), 11);
}

#[test]
fn host_interrupts_can_be_left_out_of_the_sum() {
    let exits = ExitHistogram::parse(TEXT).expect("well formed");
    assert_eq!(exits.total(), 2245);
    assert_eq!(exits.without_intr(), 1375);
}

#[test]
fn an_empty_file_is_no_exits() {
    assert_eq!(ExitHistogram::parse("").expect("empty is fine").total(), 0);
}

#[test]
fn a_line_of_another_shape_is_refused_and_shown() {
    for line in ["96 INTR", "96 INTR x", "-1 INTR 3", "96 INTR 3 4", "INTR 96 3"] {
        let error = ExitHistogram::parse(line).expect_err(line);
        assert!(error.to_string().contains(&format!("{line:?}")), "{error}");
    }
}

#[test]
fn a_reason_listed_twice_is_refused() {
    ExitHistogram::parse("96 INTR 1\n96 INTR 2\n").expect_err("the script writes each code once");
}

#[test]
fn the_table_starts_with_the_most_frequent_reason() {
    let table = ExitHistogram::parse(TEXT).expect("well formed").to_string();
    assert_eq!(table.lines().next().map(str::trim), Some("870  INTR"));
    assert_eq!(table.lines().last().map(str::trim), Some("1375  without INTR, 2245 in all"));
}
