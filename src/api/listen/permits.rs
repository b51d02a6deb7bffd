//! How many connections there may be: of all, and of one address; and how soon one who broke the protocol gets another.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::figures::{Figures, Refused};
use crate::call::Peer;

/// Connections of one address that may break the protocol before its next ones have to wait.
const FORGIVEN: u32 = 10;

/// After so long without another, they are forgotten.
const FORGET: Duration = Duration::from_secs(10);

/// How long after each other the connections of such an address begin.
const APART: Duration = Duration::from_millis(50);

/// Whose turn would come later than that gets none. It is closed only then: an attacker that comes again as soon as it is
/// closed would else come thousands of times a second.
const LATEST: Duration = Duration::from_secs(2);

/// The part of an address's connections that may be such; more are closed at once.
const HELD: usize = 2;

/// Addresses whose offences are remembered.
const OFFENDERS: usize = 10_000;

/// The connections of one door.
#[derive(Clone, Debug)]
pub(super) struct Permits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    most_per_address: usize,
    figures: Arc<Figures>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    offenders: HashMap<IpAddr, Offender>,
}

/// An address from which the protocol was broken.
#[derive(Debug)]
struct Offender {
    offences: u32,
    last: Instant,
    /// When its next connection may begin.
    next: Instant,
    /// Connections that are held, and will not begin.
    held: usize,
}

/// When a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    At(Instant),
    /// Never: it is closed then.
    Never(Instant),
}

/// One connection may be open until this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    of: Permits,
    address: Option<IpAddr>,
    pub(super) turn: Turn,
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("there are as many as `server.max_connections` allows")]
    All,
    #[error("there are as many from one address as `server.max_connections_per_address` allows")]
    Address,
    #[error("too many connections of one address have broken the protocol lately")]
    Offender,
}

impl Permits {
    pub(super) fn new(most: usize, most_per_address: usize, figures: Arc<Figures>) -> Self {
        Self(Arc::new(Inner { most, most_per_address, figures, open: Mutex::default() }))
    }

    /// A permit for a connection from `peer`.
    pub(super) fn take(&self, peer: Option<Peer>) -> Result<Permit, Full> {
        let address = match peer {
            Some(Peer::Tcp(address)) => Some(network(address.ip())),
            Some(Peer::Unix { .. }) | None => None,
        };
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.0.most {
            self.0.figures.count(Refused::Full);
            return Err(Full::All);
        }
        let mut turn = Turn::Now;
        if let Some(address) = address {
            let of_address = open.by_address.get(&address).copied().unwrap_or_default();
            if of_address >= self.0.most_per_address {
                self.0.figures.count(Refused::FullAddress);
                return Err(Full::Address);
            }
            if let Some(offender) = open.offenders.get_mut(&address) {
                turn = offender.turn(Instant::now());
                if let Turn::Never(_) = turn {
                    self.0.figures.count(Refused::Offender);
                    if offender.held >= self.0.most_per_address / HELD {
                        return Err(Full::Offender);
                    }
                    offender.held += 1;
                }
            }
            open.by_address.insert(address, of_address + 1);
        }
        open.all += 1;
        self.0.figures.opened();
        Ok(Permit { of: self.clone(), address, turn })
    }
}

impl Offender {
    /// When its next connection may begin.
    fn turn(&mut self, now: Instant) -> Turn {
        if self.offences <= FORGIVEN || now > self.last + FORGET {
            return Turn::Now;
        }
        let turn = self.next.max(now);
        if turn > now + LATEST {
            // It takes no turn from others.
            return Turn::Never(now + LATEST);
        }
        self.next = turn + APART;
        Turn::At(turn)
    }
}

impl Permit {
    /// Remembers that this connection broke the protocol.
    pub(super) fn offended(&self) {
        let Some(address) = self.address else { return };
        let mut open = self.of.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if open.offenders.len() >= OFFENDERS && !open.offenders.contains_key(&address) {
            open.offenders.retain(|_, offender| now <= offender.last + FORGET || offender.held > 0);
            if open.offenders.len() >= OFFENDERS {
                return;
            }
        }
        let offender = open.offenders.entry(address).or_insert(Offender { offences: 0, last: now, next: now, held: 0 });
        offender.offences = if now > offender.last + FORGET { 1 } else { offender.offences.saturating_add(1) };
        offender.last = now;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.of.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        self.of.0.figures.closed();
        let Some(address) = self.address else { return };
        if let Turn::Never(_) = self.turn
            && let Some(offender) = open.offenders.get_mut(&address)
        {
            offender.held = offender.held.saturating_sub(1);
        }
        if let Some(of_address) = open.by_address.get_mut(&address) {
            *of_address = of_address.saturating_sub(1);
            if *of_address == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

/// Whom an address stands for: one host of IPv6 has all addresses of a network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Peer {
        Peer::Tcp(format!("{address}:1").parse().unwrap())
    }

    #[test]
    fn counts_all_and_each_address_and_forgets_who_left() {
        let permits = Permits::new(4, 2, Arc::default());
        let (one, two) = (permits.take(Some(from("10.0.0.1"))).unwrap(), permits.take(Some(from("10.0.0.1"))).unwrap());
        assert_eq!(permits.take(Some(from("10.0.0.1"))).unwrap_err(), Full::Address);
        assert_eq!(permits.take(Some(from("[::ffff:10.0.0.1]"))).unwrap_err(), Full::Address);
        let (three, four) = (permits.take(Some(from("10.0.0.2"))).unwrap(), permits.take(None).unwrap());
        assert_eq!(permits.take(Some(from("10.0.0.3"))).unwrap_err(), Full::All);
        drop((one, two, three, four));
        let open = permits.0.open.lock().unwrap();
        assert_eq!((open.all, open.by_address.len(), permits.0.figures.open()), (0, 0, 0));
        assert_eq!(permits.0.figures.refused()[..2], [("max_connections", 1), ("max_connections_per_address", 2)]);
    }

    #[test]
    fn who_breaks_the_protocol_again_and_again_waits_for_a_while() {
        let permits = Permits::new(1_000, 4, Arc::default());
        let take = || permits.take(Some(from("10.0.0.1")));
        for _ in 0..=FORGIVEN {
            let permit = take().unwrap();
            assert_eq!(permit.turn, Turn::Now);
            permit.offended();
        }
        assert!(matches!(take().unwrap().turn, Turn::At(_)));
        assert_eq!(permits.take(Some(from("10.0.0.2"))).unwrap().turn, Turn::Now, "nobody else waits");
        // Those that will not begin are held, but never so many that no other of the address has room.
        permits.0.open.lock().unwrap().offenders.values_mut().for_each(|offender| offender.next += LATEST * 2);
        let held = [take().unwrap(), take().unwrap()];
        assert!(held.iter().all(|permit| matches!(permit.turn, Turn::Never(_))));
        assert_eq!(take().unwrap_err(), Full::Offender);
        drop(held);
        assert!(matches!(take().unwrap().turn, Turn::Never(_)), "there is room again");
        assert_eq!(permits.0.figures.refused()[2], ("protocol_broken", 4));
    }

    #[test]
    fn the_turns_of_an_offender_are_apart_and_it_is_forgotten() {
        let now = Instant::now();
        let mut offender = Offender { offences: FORGIVEN + 1, last: now, next: now, held: 0 };
        let turns: Vec<_> = (0..3).map(|_| offender.turn(now)).collect();
        assert_eq!(turns, [Turn::At(now), Turn::At(now + APART), Turn::At(now + APART * 2)]);
        for _ in 0..1_000 {
            offender.turn(now);
        }
        // Those who get none take none.
        assert_eq!(offender.turn(now), Turn::Never(now + LATEST));
        assert_eq!(offender.turn(now + APART), Turn::At(now + LATEST + APART));
        assert_eq!(offender.turn(now + FORGET + APART), Turn::Now);
    }

    #[test]
    fn a_host_of_ipv6_is_its_network() {
        let permits = Permits::new(9, 1, Arc::default());
        let held = permits.take(Some(from("[2001:db8::1]"))).unwrap();
        assert_eq!(permits.take(Some(from("[2001:db8::2]"))).unwrap_err(), Full::Address);
        assert!(permits.take(Some(from("[2001:db8:0:1::1]"))).is_ok());
        drop(held);
    }
}
