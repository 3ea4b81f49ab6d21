#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::*;

fn header(op: Option<Op>) -> Header {
    Header {
        src_cid: 3,
        dst_cid: 2,
        src_port: 0x0102_0304,
        dst_port: 1024,
        len: 7,
        kind: STREAM,
        op,
        flags: down::SEND,
        buf_alloc: 0x4_0000,
        fwd_cnt: 0xffff_fffe,
    }
}

#[test]
fn fields_lie_where_the_specification_has_them() {
    let bytes = header(Some(Op::Data)).bytes();
    let expected: [&[u8]; 10] = [
        &3_u64.to_le_bytes(),
        &2_u64.to_le_bytes(),
        &[4, 3, 2, 1],
        &1024_u32.to_le_bytes(),
        &7_u32.to_le_bytes(),
        &[1, 0],
        &[5, 0],
        &2_u32.to_le_bytes(),
        &[0, 0, 4, 0],
        &[0xfe, 0xff, 0xff, 0xff],
    ];
    assert_eq!(bytes[..], expected.concat());
}

#[test]
fn operations_have_the_numbers_of_the_specification() {
    let numbers = [Op::Request, Op::Response, Op::Reset, Op::Shutdown, Op::Data, Op::CreditUpdate, Op::CreditRequest];
    for (index, op) in numbers.into_iter().enumerate() {
        assert_eq!((op.number(), Op::from_number(op.number())), (index as u16 + 1, Some(op)));
    }
    assert_eq!((Op::from_number(0), Op::from_number(8), Op::from_number(u16::MAX)), (None, None, None));
}

#[test]
fn a_refusal_comes_from_whom_the_packet_was_for_and_is_not_refused_itself() {
    let refusal = header(Some(Op::Request)).refusal().unwrap();
    assert_eq!((refusal.src_cid, refusal.src_port, refusal.dst_cid, refusal.dst_port), (2, 1024, 3, 0x0102_0304));
    assert_eq!((refusal.op, refusal.len), (Some(Op::Reset), 0));
    assert_eq!(refusal.refusal(), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(bytes in prop::array::uniform32(any::<u8>()), rest in prop::array::uniform12(any::<u8>())) {
        let mut all = [0; HEADER];
        all[..32].copy_from_slice(&bytes);
        all[32..].copy_from_slice(&rest);
        let parsed = Header::parse(&all);
        prop_assert_eq!(Header::parse(&parsed.bytes()), parsed);
        if parsed.op.is_some() {
            prop_assert_eq!(parsed.bytes(), all);
        }
    }
}
