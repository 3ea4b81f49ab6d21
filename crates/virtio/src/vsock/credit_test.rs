#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::*;

#[test]
fn a_guest_may_fill_the_room_and_not_a_byte_more() {
    let mut incoming = Incoming::default();
    assert!(incoming.receive(ROOM - 1) && incoming.receive(1) && incoming.receive(0));
    assert!(!incoming.receive(1));
    incoming.forward(10);
    assert!(!incoming.receive(11) && incoming.receive(10) && !incoming.receive(u32::MAX));
}

#[test]
fn room_is_told_of_once_for_half_of_it() {
    let mut incoming = Incoming::default();
    assert!(incoming.receive(ROOM));
    incoming.forward(ROOM / 2 - 1);
    assert!(!incoming.worth_telling());
    incoming.forward(1);
    assert!(incoming.worth_telling());
    assert_eq!(incoming.tell(), ROOM / 2);
    assert!(!incoming.worth_telling());
}

#[test]
fn a_guest_that_lies_about_its_room_gets_nothing() {
    let mut outgoing = Outgoing::default();
    assert_eq!(outgoing.room(), 0, "before it has said anything");
    outgoing.hear(1000, 0);
    outgoing.send(600);
    assert_eq!(outgoing.room(), 400);
    outgoing.hear(1000, 601);
    assert_eq!(outgoing.room(), 0, "more than was sent");
    outgoing.hear(500, 0);
    assert_eq!(outgoing.room(), 0, "a buffer that shrank below what is on its way");
}

proptest! {
    /// Both counters go round 2^32 several times.
    #[test]
    fn a_sender_with_the_last_news_never_oversteps_and_never_starves(steps in prop::collection::vec((any::<u32>(), any::<u32>()), 1..200)) {
        let (mut incoming, mut outgoing) = (Incoming::default(), Outgoing::default());
        outgoing.hear(ROOM, incoming.tell());
        let mut kept = 0;
        for (send, forward) in steps {
            let send = send % (ROOM + 1);
            let send = send.min(outgoing.room());
            outgoing.send(send);
            prop_assert!(incoming.receive(send));
            kept += send;
            let forward = if forward & 1 == 0 { kept } else { forward % (kept + 1) };
            incoming.forward(forward);
            kept -= forward;
            if incoming.worth_telling() {
                outgoing.hear(ROOM, incoming.tell());
            }
            prop_assert!(kept > 0 || outgoing.room() > ROOM / 2, "nothing is kept and little may be sent");
        }
    }
}
