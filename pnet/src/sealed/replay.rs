//! What was opened before: a signed packet is opened once.

use std::{collections::BTreeSet, sync::Mutex, sync::PoisonError, time::SystemTime};

use pnet_protocol::key::Fingerprint;

use super::{letter::ID_LEN, millis, recent::Recent};

/// When a packet was made, in milliseconds since 1970, and its id.
pub(super) type Stamp = (u64, [u8; ID_LEN]);

/// The signed packets that were opened, as far as they are kept. Whatever is not kept any more is refused.
pub(super) struct Replay {
    /// What is older is refused.
    since: u64,
    max_ids: usize,
    senders: Mutex<Senders>,
}

struct Senders {
    known: Recent<Fingerprint, Known>,
    /// Of a sender that is not known, what is not newer may have been opened before.
    floor: Option<u64>,
}

#[derive(Default)]
struct Known {
    stamps: BTreeSet<Stamp>,
    /// Whether some are not kept any more.
    is_cut: bool,
    /// As [`Senders::floor`] was when the sender got known.
    floor: Option<u64>,
}

impl Replay {
    /// Takes packets that were made since then.
    pub(super) fn new(since: SystemTime) -> Self {
        Self::with_bounds(since, MAX_SENDERS, MAX_IDS)
    }

    pub(super) fn with_bounds(since: SystemTime, max_senders: usize, max_ids: usize) -> Self {
        let senders = Senders { known: Recent::new(max_senders), floor: None };
        Self { since: millis(since), max_ids, senders: Mutex::new(senders) }
    }

    /// Whether a packet is opened for the first time, which it then was. The signature has been verified.
    pub(super) fn is_new(&self, sender: Fingerprint, stamp: Stamp, now: SystemTime) -> bool {
        let (created, _) = stamp;
        if created < self.since || created > millis(now).saturating_add(AHEAD) {
            return false;
        }
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let floor = senders.known.get(&sender).map_or(senders.floor, |sender| sender.floor);
        if floor.is_some_and(|floor| created <= floor) {
            return false;
        }
        // Those of whom nothing is taken get no place, and lose none.
        if senders.known.get(&sender).is_some_and(|sender| sender.has(&stamp)) {
            return false;
        }
        let (sender, gone) = senders.known.entry(&sender, || Known { floor, ..Known::default() });
        sender.stamps.insert(stamp);
        if sender.stamps.len() > self.max_ids {
            sender.stamps.pop_first();
            sender.is_cut = true;
        }
        // Whatever the forgotten sender has sent is at most as new as this.
        let newest = gone.and_then(|gone| gone.stamps.last().map(|(created, _)| *created));
        senders.floor = senders.floor.max(newest);
        true
    }
}

impl Known {
    /// Whether this was there, or may have been.
    fn has(&self, stamp: &Stamp) -> bool {
        self.stamps.contains(stamp) || self.is_cut && self.stamps.first().is_some_and(|oldest| stamp < oldest)
    }
}

const MAX_SENDERS: usize = 1024;
/// Of one sender.
const MAX_IDS: usize = 4096;
/// How far a sender's clock may go ahead, in milliseconds.
const AHEAD: u64 = 60_000;

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    fn sender(n: u8) -> Fingerprint {
        Fingerprint::from_bytes([n; 32])
    }

    fn id(n: u64) -> [u8; ID_LEN] {
        u128::from(n).to_be_bytes()
    }

    #[test]
    fn a_packet_is_new_once() {
        let (replay, now) = (Replay::new(at(1000)), at(2000));
        for created in [1000, 1500, 2000, 62_000] {
            for n in [1, 2] {
                assert!(replay.is_new(sender(0), (created, id(n)), now));
                assert!(replay.is_new(sender(1), (created, id(n)), now));
            }
        }
        for created in [1000, 1500, 2000, 62_000, 999, 0, 62_001, u64::MAX] {
            assert!(!replay.is_new(sender(0), (created, id(1)), now), "{created}");
        }
        // Neither half alone makes it known.
        assert!(replay.is_new(sender(0), (1501, id(1)), now));
        assert!(replay.is_new(sender(0), (1500, id(3)), now));
    }

    /// The price of taking letters of those whose clocks go ahead.
    #[test]
    fn what_is_ahead_of_a_restart_is_new_again() {
        let ahead = (5_000, id(1));
        assert!(Replay::new(at(1_000)).is_new(sender(0), ahead, at(2_000)));
        assert!(Replay::new(at(3_000)).is_new(sender(0), ahead, at(3_000)));
        // No longer once its time has passed.
        assert!(!Replay::new(at(5_001)).is_new(sender(0), ahead, at(5_001)));
    }

    #[test]
    fn of_a_sender_the_newest_4096_are_kept() {
        let (replay, now) = (Replay::new(at(0)), at(10_000));
        for n in 0..4096 {
            assert!(replay.is_new(sender(0), (1000 + n, id(n)), now));
        }
        // Late ones are taken for as long as nothing was forgotten.
        assert!(replay.is_new(sender(0), (500, id(0)), now));
        assert!(!replay.is_new(sender(0), (500, id(0)), now));
        assert!(!replay.is_new(sender(0), (999, id(0)), now));
        for n in 4096..9000 {
            assert!(replay.is_new(sender(0), (1000 + n, id(n)), now));
        }
        for n in 0..9000 {
            assert!(!replay.is_new(sender(0), (1000 + n, id(n)), now), "{n}");
        }
        let senders = replay.senders.lock().expect("nothing has panicked");
        let kept: Vec<_> = senders.known.get(&sender(0)).expect("it is known").stamps.iter().collect();
        assert_eq!((kept.len(), kept[0].0), (4096, 1000 + 9000 - 4096));
    }

    #[test]
    fn forgetting_a_sender_lets_nothing_through_again() {
        let (replay, now) = (Replay::with_bounds(at(0), 2, 4), at(10_000));
        for created in [100, 200] {
            assert!(replay.is_new(sender(0), (created, id(0)), now));
        }
        assert!(replay.is_new(sender(1), (150, id(0)), now));
        // The first sender, whose newest is of 200, is forgotten.
        assert!(replay.is_new(sender(2), (150, id(0)), now));
        for created in [100, 200] {
            assert!(!replay.is_new(sender(0), (created, id(0)), now));
        }
        assert!(!replay.is_new(sender(3), (200, id(1)), now), "nothing is known of it");
        assert!(!replay.is_new(sender(0), (200, id(1)), now));
        // Of those that are known, older ones are still taken.
        assert!(replay.is_new(sender(1), (120, id(1)), now));
        // It comes back, and what it has sent before stays out.
        assert!(replay.is_new(sender(0), (201, id(0)), now));
        for created in [100, 200, 201] {
            assert!(!replay.is_new(sender(0), (created, id(0)), now), "{created}");
        }
        // Whoever was refused has taken nobody's place.
        for n in 10..200 {
            assert!(!replay.is_new(sender(n), (150, id(0)), now));
        }
        assert!(!replay.is_new(sender(1), (120, id(1)), now));
        assert!(replay.is_new(sender(1), (121, id(1)), now));
    }

    #[test]
    fn nothing_is_new_twice_whatever_is_forgotten() {
        let (replay, now) = (Replay::with_bounds(at(0), 3, 5), at(10_000));
        let mut taken = BTreeSet::new();
        let mut number = 1_u64;
        for _ in 0..20_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let [who, _, time, _, which, ..] = number.to_be_bytes();
            let (who, stamp) = (who % 5, (u64::from(time), id(u64::from(which % 8))));
            if replay.is_new(sender(who), stamp, now) {
                assert!(taken.insert((who, stamp)), "{who} {stamp:?} is taken again");
            }
        }
        assert!(taken.len() > 5, "{}", taken.len());
    }
}
