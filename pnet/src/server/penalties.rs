//! What failed tries to authenticate cost: time, for everybody at the same address.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::{connection::half_open::neighbourhood, transport::PeerAddr};

/// The addresses from which tries have failed lately. Bounded: when there are too many, those that have not failed for longest
/// are forgotten.
#[derive(Debug, Default)]
pub(super) struct Penalties {
    /// Two generations: when the young one is full, it becomes the old one, and that is forgotten.
    young: HashMap<PeerAddr, Failures>,
    old: HashMap<PeerAddr, Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Penalties {
    /// One more try has failed: how long its refusal is kept back. Peers on this machine are not made to wait.
    pub(super) fn failed(&mut self, addr: &PeerAddr, now: Instant) -> Duration {
        if addr.is_local() {
            return Duration::ZERO;
        }
        let source = source(addr);
        let before = self.young.get(&source).or_else(|| self.old.get(&source));
        let count = before.map_or(0, |before| before.at(now)).saturating_add(1);
        if self.young.len() >= GENERATION && !self.young.contains_key(&source) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(source, Failures { count, last: now });
        delay(count)
    }

    /// How many addresses are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

impl Failures {
    /// How many count at this time.
    fn at(self, now: Instant) -> u32 {
        let forgiven = now.saturating_duration_since(self.last).as_secs() / FORGIVEN.as_secs();
        self.count.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }
}

/// Who is made to wait together: an IPv4 address, or all that have the first 64 bits of an IPv6 address.
fn source(addr: &PeerAddr) -> PeerAddr {
    match addr {
        PeerAddr::Socket(address) => PeerAddr::Socket((neighbourhood(address.ip()), 0).into()),
        other => other.clone(),
    }
}

fn delay(count: u32) -> Duration {
    let doubled = count.saturating_sub(1).min(MAX_DOUBLED);
    (FIRST * 2_u32.pow(doubled)).min(LONGEST)
}

/// The first failure's; each further one doubles it.
const FIRST: Duration = Duration::from_millis(100);
pub(super) const LONGEST: Duration = Duration::from_secs(3);
const MAX_DOUBLED: u32 = 8;
/// One failure is forgotten each time that there was none for so long.
const FORGIVEN: Duration = Duration::from_secs(30);
/// Addresses of one generation.
const GENERATION: usize = 8192;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn at(address: &str) -> PeerAddr {
        PeerAddr::Socket((address.parse::<IpAddr>().expect("an address"), 4000).into())
    }

    #[test]
    fn each_failure_costs_twice_as_much_up_to_three_seconds() {
        let (mut penalties, now) = (Penalties::default(), Instant::now());
        let millis: Vec<_> = (0..8).map(|_| penalties.failed(&at("192.0.2.1"), now).as_millis()).collect();
        assert_eq!(millis, [100, 200, 400, 800, 1600, 3000, 3000, 3000]);
        assert_eq!(penalties.failed(&at("192.0.2.2"), now).as_millis(), 100);
    }

    #[test]
    fn neighbours_in_ipv6_wait_together_whatever_their_port() {
        let (mut penalties, now) = (Penalties::default(), Instant::now());
        let mut failed = |address| penalties.failed(&at(address), now).as_millis();
        assert_eq!(failed("2001:db8::1"), 100);
        assert_eq!(failed("2001:db8::ffff:2"), 200);
        assert_eq!(failed("2001:db8:0:1::1"), 100);
        assert_eq!(failed("192.0.2.1"), 100);
        assert_eq!(failed("::ffff:192.0.2.1"), 200);
    }

    #[test]
    fn this_machine_does_not_wait() {
        let (mut penalties, now) = (Penalties::default(), Instant::now());
        for local in [at("127.0.0.1"), at("::1"), PeerAddr::Memory] {
            assert_eq!(penalties.failed(&local, now), Duration::ZERO);
        }
        assert_eq!(penalties.failed(&PeerAddr::Other("a radio".to_owned()), now), FIRST);
        assert_eq!(penalties.len(), 1);
    }

    #[test]
    fn failures_are_forgotten_one_after_the_other() {
        let (mut penalties, now) = (Penalties::default(), Instant::now());
        for _ in 0..4 {
            penalties.failed(&at("192.0.2.1"), now);
        }
        assert_eq!(penalties.failed(&at("192.0.2.1"), now + 2 * FORGIVEN), 4 * FIRST);
        assert_eq!(penalties.failed(&at("192.0.2.1"), now + 100 * FORGIVEN), FIRST);
    }

    #[test]
    fn a_million_addresses_do_not_fill_the_memory() {
        let (mut penalties, now) = (Penalties::default(), Instant::now());
        let guesser = at("198.51.100.1");
        for bits in 0..1_000_000_u32 {
            penalties.failed(&at(&Ipv4Addr::from_bits(0x0A00_0000 + bits).to_string()), now);
            if bits % 1000 == 0 {
                penalties.failed(&guesser, now);
            }
        }
        assert!(penalties.len() <= 2 * GENERATION, "{}", penalties.len());
        // Who goes on failing is not forgotten among them.
        assert_eq!(penalties.failed(&guesser, now), LONGEST);
    }
}
