//! Records that were stamped with their arrival and are not in the log yet. Until they are, nothing says that everything
//! which arrived before them has been read.

use crate::clock;
use parking_lot::Mutex;
use slackwater_order::time::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The records on their way into the log from this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    /// How many records were stamped with each time and are on their way.
    arrivals: Arc<Mutex<BTreeMap<Time, usize>>>,
}

/// Records on their way. They are in the log, or never will be, when this is dropped.
#[derive(Debug)]
pub struct InFlightGuard {
    /// When the records were received.
    pub at: Time,
    in_flight: InFlight,
}

impl InFlight {
    /// Stamps records that are to be appended.
    pub fn enter(&self) -> InFlightGuard {
        // The clock is read under the lock, so that `settled` never passes a stamp that is about to be entered.
        let mut arrivals = self.arrivals.lock();
        let at = clock::now();
        *arrivals.entry(at).or_default() += 1;
        InFlightGuard {
            at,
            in_flight: self.clone(),
        }
    }

    /// The time before which every stamped record is in the log: the present, if none is on its way.
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
