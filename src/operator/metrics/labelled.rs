//! Counters by the words of a bounded set.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

pub(super) type Labels = Vec<(&'static str, String)>;

/// A counter for each word of a bounded set, under one label. Each is there from the start, at 0: a rate has what it rises from, and
/// counting takes no lock.
#[derive(Debug)]
pub(super) struct LabelledCounter {
    label: &'static str,
    pub(super) family: Family<Labels, Counter>,
    counters: Vec<(&'static str, Counter)>,
}

impl LabelledCounter {
    pub(super) fn new(
        label: &'static str,
        words: impl IntoIterator<Item = &'static str>,
    ) -> LabelledCounter {
        let family = Family::<Labels, Counter>::default();
        let counter = |word: &'static str| {
            let labels = vec![(label, word.to_owned())];
            (word, family.get_or_create_owned(&labels))
        };
        let counters = words.into_iter().map(counter).collect();
        LabelledCounter {
            label,
            family,
            counters,
        }
    }

    pub(super) fn count(&self, word: &'static str, by: u64) {
        if let Some((_, counter)) = self.counters.iter().find(|(there, _)| *there == word) {
            counter.inc_by(by);
            return;
        }
        debug_assert!(false, "{word:?} is none of the words of {}", self.label);
        let labels = vec![(self.label, word.to_owned())];
        self.family.get_or_create(&labels).inc_by(by);
    }
}
