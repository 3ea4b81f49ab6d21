//! Whether guest memory can be in pages of 2 MiB: a page fault each 4 KiB of first use is an exit, and each
//! level less of page tables makes the guest's own accesses cheaper.

use super::Finding;

const TRANSPARENT: &str = "huge-pages";
const POOL: &str = "hugetlb";
const ENABLED: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const POOL_FOLDER: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB";

/// Looks at how transparent huge pages are set (`--hugepages thp`).
pub fn transparent() -> Finding {
    judge_transparent(std::fs::read_to_string(ENABLED).ok().as_deref())
}

/// `always [madvise] never`: the chosen word is in brackets.
fn chosen(words: &str) -> Option<&str> {
    words.split_ascii_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
}

fn judge_transparent(enabled: Option<&str>) -> Finding {
    match enabled.and_then(chosen) {
        Some(word @ ("always" | "madvise")) => {
            Finding::ok(TRANSPARENT, format!("guest memory gets transparent huge pages ({word})"))
        }
        Some(word) => Finding::warning(
            TRANSPARENT,
            format!(
                "transparent huge pages are set to {word}: guest memory is in pages of 4 KiB, and first use of each is an exit"
            ),
            format!("echo madvise > {ENABLED}"),
        ),
        None => Finding::warning(
            TRANSPARENT,
            "this kernel has no transparent huge pages",
            "use a kernel with CONFIG_TRANSPARENT_HUGEPAGE, or reserve pages and use --hugepages hugetlb",
        ),
    }
}

/// Looks at the pool that `--hugepages hugetlb` takes pages from.
pub fn pool() -> Finding {
    let number = |name: &str| std::fs::read_to_string(format!("{POOL_FOLDER}/{name}")).ok()?.trim().parse().ok();
    judge_pool(number("nr_hugepages"), number("free_hugepages"))
}

fn judge_pool(all: Option<u64>, free: Option<u64>) -> Finding {
    match (all, free) {
        (Some(0), _) => Finding::ok(
            POOL,
            "no pages are reserved; who wants --hugepages hugetlb reserves one for each 2 MiB: sysctl vm.nr_hugepages=N",
        ),
        (Some(all), Some(0)) => Finding::warning(
            POOL,
            format!("all {all} reserved pages are in use: --hugepages hugetlb gets none"),
            "reserve more: sysctl vm.nr_hugepages=N",
        ),
        (Some(all), Some(free)) => {
            Finding::ok(POOL, format!("{free} of {all} reserved pages of 2 MiB are free for --hugepages hugetlb"))
        }
        _ => Finding::ok(POOL, "this kernel has no pool of 2 MiB pages; only --hugepages hugetlb would want it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::doctor::Verdict;

    #[test]
    fn the_word_in_brackets_counts() {
        assert_eq!(judge_transparent(Some("always [madvise] never\n")).verdict, Verdict::Ok);
        assert_eq!(judge_transparent(Some("[always] madvise never\n")).verdict, Verdict::Ok);
        let never = judge_transparent(Some("always madvise [never]\n"));
        assert_eq!(never.verdict, Verdict::Warning);
        assert_eq!(never.fix.as_deref(), Some("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"));
    }

    #[test]
    fn a_kernel_without_them_is_told_apart() {
        assert!(judge_transparent(None).text.contains("no transparent huge pages"));
        assert!(judge_transparent(Some("garbage")).text.contains("no transparent huge pages"));
    }

    #[test]
    fn an_empty_pool_is_no_fault_and_a_used_up_one_is() {
        assert_eq!(judge_pool(Some(0), Some(0)).verdict, Verdict::Ok);
        assert_eq!(judge_pool(Some(64), Some(0)).verdict, Verdict::Warning);
        assert!(judge_pool(Some(64), Some(32)).text.starts_with("32 of 64"));
        assert_eq!(judge_pool(None, None).verdict, Verdict::Ok);
    }
}
