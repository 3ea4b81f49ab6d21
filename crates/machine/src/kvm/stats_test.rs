use proptest::prelude::*;

use super::*;

/// A statistics file with these counters: name, type, values.
fn file(name_size: u32, stats: &[(&str, u32, &[u64])]) -> Vec<u8> {
    let desc_offset = 24;
    let step = 16 + name_size;
    let data_offset = desc_offset + step * stats.len() as u32;
    let header = [0, name_size, stats.len() as u32, 24, desc_offset, data_offset];
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut offset = 0_u32;
    for (name, kind, values) in stats {
        bytes.extend(kind.to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend((values.len() as u16).to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes.extend([0; 4]);
        let mut padded = name.as_bytes().to_vec();
        padded.resize(name_size as usize, 0);
        bytes.extend(padded);
        offset += 8 * values.len() as u32;
    }
    bytes.extend(stats.iter().flat_map(|(_, _, values)| values.iter()).flat_map(|value| value.to_le_bytes()));
    bytes
}

#[test]
fn counters_are_read_by_name() {
    let stats = Stats::parse(&file(48, &[("exits", 0, &[7]), ("halt_exits", 0, &[2])])).unwrap();
    assert_eq!((stats.get("exits"), stats.get("halt_exits"), stats.get("exit")), (Some(7), Some(2), None));
    assert_eq!(stats.iter().map(|stat| stat.name.as_str()).collect::<Vec<_>>(), ["exits", "halt_exits"]);
}

#[test]
fn a_histogram_is_the_sum_of_its_buckets() {
    let stats = Stats::parse(&file(16, &[("linear", 3, &[1, 2, 3]), ("log", 4, &[10, 20]), ("peak", 2, &[9])]));
    let stats = stats.unwrap();
    assert_eq!((stats.get("linear"), stats.get("log"), stats.get("peak")), (Some(6), Some(30), Some(9)));
}

#[test]
fn a_file_that_ends_early_is_refused_wherever_it_ends() {
    let whole = file(16, &[("exits", 0, &[7]), ("hist", 4, &[1, 2])]);
    for end in 0..whole.len() {
        assert!(matches!(Stats::parse(&whole[..end]), Err(ParseStatsError::Short { .. })), "cut at {end}");
    }
    assert!(Stats::parse(&whole).is_ok());
}

#[test]
fn a_name_that_is_no_text_is_refused() {
    let mut bytes = file(16, &[("exits", 0, &[7])]);
    bytes[24 + 16] = 0xff;
    assert_eq!(Stats::parse(&bytes), Err(ParseStatsError::Name { index: 0 }));
}

proptest! {
    #[test]
    fn no_bytes_do_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..400), small in any::<bool>()) {
        // Random offsets are nearly always out of bounds: half of the cases get small ones.
        if small {
            for byte in bytes.iter_mut().enumerate().filter(|(n, _)| n % 4 != 0).map(|(_, byte)| byte) {
                *byte = 0;
            }
        }
        let _ = Stats::parse(&bytes);
    }
}
