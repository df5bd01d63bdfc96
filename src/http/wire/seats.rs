//! How many connections come from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts the connections of each address.
#[derive(Clone, Debug)]
pub(super) struct Seats {
    most: u64,
    taken: Arc<Mutex<HashMap<IpAddr, Taken>>>,
}

#[derive(Debug, Default)]
struct Taken {
    seats: u64,
    was_refused: bool,
}

/// The right to be connected, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat(Option<(Seats, IpAddr)>);

/// Whom an address belongs to: of IPv6, everybody has as many as there are behind the first 64 bits.
pub(in crate::http) fn owner_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

impl Seats {
    /// So many for each address; none at all counts nothing.
    pub(super) fn new(most: u64) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    /// A seat for one more connection from an address; none when all of them are taken.
    pub(super) fn take(&self, address: IpAddr) -> Option<Seat> {
        if self.most == 0 {
            return Some(Seat(None));
        }
        let owner = owner_of(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.entry(owner).or_default();
        if own.seats < self.most {
            own.seats += 1;
            return Some(Seat(Some((self.clone(), owner))));
        }
        // One line, however many are refused.
        if !own.was_refused {
            own.was_refused = true;
            let most = self.most;
            tracing::warn!(
                address = %owner,
                most,
                "more connections than max_connections_per_address allows; further ones are closed"
            );
        }
        None
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some((seats, owner)) = &self.0 else {
            return;
        };
        let mut taken = seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(owner) {
            own.seats = own.seats.saturating_sub(1);
            if own.seats == 0 {
                taken.remove(owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_seats_and_a_network_of_ipv6_is_one() {
        let seats = Seats::new(2);
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = seats.take(at("192.0.2.1")).unwrap();
        let _second = seats.take(at("::ffff:192.0.2.1")).unwrap();
        assert!(seats.take(at("192.0.2.1")).is_none());
        let _other = seats.take(at("192.0.2.2")).unwrap();
        drop(first);
        let _third = seats.take(at("192.0.2.1")).unwrap();
        let six = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"].map(|text| seats.take(at(text)));
        assert!(six.iter().all(Option::is_some));
        assert!(seats.take(at("2001:db8:1:2:3::")).is_none());
        let neighbour = seats.take(at("2001:db8:1:3::1"));
        assert!(neighbour.is_some());
        drop((six, neighbour));
        assert_eq!(
            seats.taken.lock().unwrap().len(),
            2,
            "the rest is forgotten"
        );
    }

    #[test]
    fn no_limit_counts_nobody() {
        let seats = Seats::new(0);
        let address = IpAddr::from([192, 0, 2, 1]);
        let all: Vec<_> = (0..100).map(|_| seats.take(address)).collect();
        assert!(all.iter().all(Option::is_some));
        assert!(seats.taken.lock().unwrap().is_empty());
    }
}
