//! Records that were stamped with their arrival and are not in the log yet: until they are, nobody can say that
//! everything that arrived by then has come.

use crate::clock;
use parking_lot::Mutex;
use slackwater_order::time::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is on its way into the log from this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    arrivals: Arc<Mutex<BTreeMap<Time, usize>>>,
}

/// Something on its way; it has arrived in the log, or never will, when this is dropped.
#[derive(Debug)]
pub struct InFlightGuard {
    /// When it was received.
    pub at: Time,
    in_flight: InFlight,
}

impl InFlight {
    /// Stamps what is to be appended.
    pub fn enter(&self) -> InFlightGuard {
        // The clock is asked under the lock: who asks for the earliest later than this gets it.
        let mut arrivals = self.arrivals.lock();
        let at = clock::now();
        *arrivals.entry(at).or_default() += 1;
        InFlightGuard {
            at,
            in_flight: self.clone(),
        }
    }

    /// The moment before which everything that was stamped is in the log: now, if nothing is on its way.
    pub fn settled(&self) -> Time {
        let arrivals = self.arrivals.lock();
        let now = clock::now();
        arrivals
            .first_key_value()
            .map_or(now, |(earliest, _)| now.min(*earliest))
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        let mut arrivals = self.in_flight.arrivals.lock();
        if let Some(there) = arrivals.get_mut(&self.at) {
            *there -= 1;
            if *there == 0 {
                arrivals.remove(&self.at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, a feed would be shown past a post that is still on its way.
    #[test]
    fn nothing_settles_past_what_is_on_its_way() {
        let in_flight = InFlight::default();
        let before = in_flight.settled();
        let first = in_flight.enter();
        let second = in_flight.enter();
        assert!(before <= first.at && first.at <= second.at);
        assert_eq!(in_flight.settled(), first.at);
        let at = second.at;
        drop(first);
        assert_eq!(in_flight.settled(), at);
        drop(second);
        assert!(at <= in_flight.settled());
        assert_eq!(in_flight.arrivals.lock().len(), 0);
    }
}
