//! The processes that had a node's name before the one that has it now, for as long as they may still be serving.

use crate::beat::Beat;
use crate::moment::Moment;

/// How many of one name are told apart. Of more, the oldest count as one that may serve anything.
const TOLD_APART: usize = 8;

/// Processes that had a name before, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predecessors(Vec<Predecessor>);

/// A process that had the name before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Predecessor {
    /// Its newest record; none if it may have said more than is known. Then it may serve anything.
    pub(crate) beat: Option<Box<Beat>>,
    /// By then it serves no more.
    pub(crate) gone_by: Moment,
}

impl Predecessors {
    /// Another process has the name now.
    pub(crate) fn push(&mut self, predecessor: Predecessor) {
        self.0.push(predecessor);
        if TOLD_APART < self.0.len() {
            let oldest = self.0.remove(0);
            if let Some(next) = self.0.first_mut() {
                next.beat = None;
                next.gone_by = next.gone_by.max(oldest.gone_by);
            }
        }
    }

    /// Takes out the process of this run, which has the name again or says more.
    pub(crate) fn take(&mut self, run: &str) -> Option<Predecessor> {
        let is_it = |it: &Predecessor| it.beat.as_ref().is_some_and(|beat| beat.run == run);
        let at = self.0.iter().position(is_it)?;
        Some(self.0.remove(at))
    }

    /// The newest known record of a run.
    pub(crate) fn of_run(&self, run: &str) -> Option<&Beat> {
        let beats = self.0.iter().filter_map(|it| it.beat.as_deref());
        beats.into_iter().find(|beat| beat.run == run)
    }

    /// The newest records of those that may be serving; none for one that may serve anything. `proved` is as for
    /// [`Standing::live`](crate::standing::Standing::live).
    pub fn live(&self, proved: Moment) -> impl Iterator<Item = Option<&Beat>> {
        let live = self.0.iter().filter(move |it| proved < it.gone_by);
        live.map(|it| it.beat.as_deref())
    }

    /// When the next of those that may be serving is gone.
    pub(crate) fn next_gone(&self, proved: Moment) -> Option<Moment> {
        let live = self.0.iter().map(|it| it.gone_by);
        live.filter(|gone_by| proved < *gone_by).min()
    }

    /// Forgets those that are gone.
    pub(crate) fn forget_gone(&mut self, proved: Moment) {
        self.0.retain(|it| proved < it.gone_by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::beat;

    fn ran(run: usize, gone_by: u64) -> Predecessor {
        let beat = Beat {
            run: run.to_string(),
            ..beat("a")
        };
        Predecessor {
            beat: Some(Box::new(beat)),
            gone_by: Moment::from_millis(gone_by),
        }
    }

    /// Were this to fail, a node that starts over and over would make its own traces disappear while a process of it still serves.
    #[test]
    fn of_many_the_oldest_may_serve_anything_until_the_last_of_them_is_gone() {
        let mut before = Predecessors::default();
        before.push(ran(0, 9_000));
        for run in 1..20 {
            before.push(ran(run, 5_000));
        }
        assert_eq!(before.0.len(), TOLD_APART);
        let live = |proved| {
            let proved = Moment::from_millis(proved);
            before.live(proved).collect::<Vec<_>>()
        };
        assert_eq!(live(8_999), [None]);
        assert_eq!(live(9_000), []);
        assert_eq!(live(4_999).len(), TOLD_APART);
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let mut before = Predecessors::default();
        before.push(ran(0, 1_000));
        before.push(ran(1, 2_000));
        before.forget_gone(Moment::from_millis(1_000));
        assert_eq!(before.of_run("0"), None);
        assert!(before.of_run("1").is_some());
        assert!(before.take("1").is_some());
        assert_eq!(before, Predecessors::default());
    }
}
