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

/// Whose turn would come later than that is refused.
const LATEST: Duration = Duration::from_secs(2);

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
}

/// One connection may be open until this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    of: Permits,
    address: Option<IpAddr>,
    /// When the connection may begin, if not at once.
    pub(super) begins: Option<Instant>,
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
        let mut begins = None;
        if let Some(address) = address {
            let now = Instant::now();
            begins = open.offenders.get_mut(&address).and_then(|offender| offender.turn(now));
            if begins.is_some_and(|begins| begins > now + LATEST) {
                self.0.figures.count(Refused::Offender);
                return Err(Full::Offender);
            }
            let of_address = open.by_address.entry(address).or_default();
            if *of_address >= self.0.most_per_address {
                self.0.figures.count(Refused::FullAddress);
                return Err(Full::Address);
            }
            *of_address += 1;
        }
        open.all += 1;
        self.0.figures.opened();
        Ok(Permit { of: self.clone(), address, begins })
    }
}

impl Offender {
    /// When its next connection may begin; `None` for at once.
    fn turn(&mut self, now: Instant) -> Option<Instant> {
        if self.offences <= FORGIVEN || now > self.last + FORGET {
            return None;
        }
        let turn = self.next.max(now);
        // Who is refused takes no turn from others.
        if turn <= now + LATEST {
            self.next = turn + APART;
        }
        Some(turn)
    }
}

impl Permit {
    /// Remembers that this connection broke the protocol.
    pub(super) fn offended(&self) {
        let Some(address) = self.address else { return };
        let mut open = self.of.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if open.offenders.len() >= OFFENDERS && !open.offenders.contains_key(&address) {
            open.offenders.retain(|_, offender| now <= offender.last + FORGET);
            if open.offenders.len() >= OFFENDERS {
                return;
            }
        }
        let offender = open.offenders.entry(address).or_insert(Offender { offences: 0, last: now, next: now });
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
        let permits = Permits::new(1_000, 1_000, Arc::default());
        let one = || permits.take(Some(from("10.0.0.1"))).unwrap();
        for _ in 0..=FORGIVEN {
            let permit = one();
            assert_eq!(permit.begins, None);
            permit.offended();
        }
        assert!(one().begins.is_some());
        assert_eq!(permits.take(Some(from("10.0.0.2"))).unwrap().begins, None, "nobody else waits");
    }

    #[test]
    fn the_turns_of_an_offender_are_apart_and_it_is_forgotten() {
        let now = Instant::now();
        let mut offender = Offender { offences: FORGIVEN + 1, last: now, next: now };
        let turns: Vec<_> = (0..3).map(|_| offender.turn(now).unwrap() - now).collect();
        assert_eq!(turns, [Duration::ZERO, APART, APART * 2]);
        for _ in 0..1_000 {
            offender.turn(now);
        }
        // Those who are refused take no turn.
        assert_eq!(offender.turn(now), Some(now + LATEST + APART));
        assert_eq!(offender.turn(now + FORGET + APART), None);
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
