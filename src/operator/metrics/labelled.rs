//! Counters by the words of a bounded set.

use parking_lot::RwLock;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

pub(super) type Labels = Vec<(&'static str, String)>;

/// A counter for each word of a bounded set, under one label. The map of labels is asked once for each: most are counted on with
/// every record.
#[derive(Debug)]
pub(super) struct LabelledCounter {
    label: &'static str,
    pub(super) family: Family<Labels, Counter>,
    known: RwLock<Vec<(&'static str, Counter)>>,
}

impl LabelledCounter {
    pub(super) fn new(label: &'static str) -> LabelledCounter {
        LabelledCounter {
            label,
            family: Family::default(),
            known: RwLock::default(),
        }
    }

    pub(super) fn count(&self, word: &'static str, by: u64) {
        if let Some((_, counter)) = self.known.read().iter().find(|(there, _)| *there == word) {
            counter.inc_by(by);
            return;
        }
        let labels = vec![(self.label, word.to_owned())];
        let counter = self.family.get_or_create_owned(&labels);
        counter.inc_by(by);
        self.known.write().push((word, counter));
    }
}
