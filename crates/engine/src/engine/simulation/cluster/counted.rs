//! What came of many clusters: that what is checked happened at all, and that refusals have a reason.

/// Rates are looked at from so many seeds on.
const RATES_FROM: u64 = 100;

/// What came of many clusters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) seeds: u64,
    /// Requests for feeds, and what came of them: no node could be reached or none that serves the account, the asked node may not answer
    /// for it, what was looked at may not be shown any more, and the rest.
    pub(super) asked: u64,
    pub(super) nowhere: u64,
    pub(super) misrouted: u64,
    pub(super) thrown_away: u64,
    pub(super) shown: u64,
    /// Of those thrown away: looks at feeds without a relation that was answered.
    pub(super) thrown_away_without: u64,
    /// Of those shown: by a standby.
    pub(super) by_standby: u64,
    /// Accounts that were awake at a standby before anybody had asked there.
    pub(super) warmed: u64,
    /// Relations that were appended by a node, and those of them that were answered; of these while a node was stopped or cut off.
    pub(super) appended: u64,
    pub(super) answered: u64,
    pub(super) answered_amid_faults: u64,
    /// Answers to cursors and refusals among them, and the same where the instance limits or suspends somebody.
    pub(super) told: u64,
    pub(super) refused: u64,
    pub(super) told_moderated: u64,
    pub(super) refused_moderated: u64,
    /// Looks at a shard that two nodes serve at once, and such by nodes that count shards otherwise.
    pub(super) served_twice: u64,
    pub(super) counted_otherwise: u64,
    pub(super) lapses: u64,
    pub(super) stops: u64,
    pub(super) cuts: u64,
    pub(super) kills: u64,
    pub(super) same_names: u64,
    pub(super) leaves: u64,
    /// The most rounds that it took after all faults until every account was shown wherever it was asked for.
    pub(super) rounds_max: u64,
}

impl Counted {
    pub(super) fn add(&mut self, other: Counted) {
        self.seeds += other.seeds;
        self.asked += other.asked;
        self.nowhere += other.nowhere;
        self.misrouted += other.misrouted;
        self.thrown_away += other.thrown_away;
        self.shown += other.shown;
        self.thrown_away_without += other.thrown_away_without;
        self.by_standby += other.by_standby;
        self.warmed += other.warmed;
        self.appended += other.appended;
        self.answered += other.answered;
        self.answered_amid_faults += other.answered_amid_faults;
        self.told += other.told;
        self.refused += other.refused;
        self.told_moderated += other.told_moderated;
        self.refused_moderated += other.refused_moderated;
        self.served_twice += other.served_twice;
        self.counted_otherwise += other.counted_otherwise;
        self.lapses += other.lapses;
        self.stops += other.stops;
        self.cuts += other.cuts;
        self.kills += other.kills;
        self.same_names += other.same_names;
        self.leaves += other.leaves;
        self.rounds_max = self.rounds_max.max(other.rounds_max);
    }

    pub(super) fn check(&self) {
        if self.seeds < RATES_FROM {
            return;
        }
        let happened = [
            self.nowhere,
            self.misrouted,
            self.thrown_away,
            self.thrown_away_without,
            self.by_standby,
            self.warmed,
            self.answered_amid_faults,
            self.refused,
            self.served_twice,
            self.counted_otherwise,
            self.lapses,
            self.stops,
            self.cuts,
            self.kills,
            self.same_names,
            self.leaves,
        ];
        assert!(happened.iter().all(|times| 0 < *times), "{self:?}");
        assert!(
            self.asked < 3 * self.shown,
            "few are shown a feed: {self:?}"
        );
        assert!(
            self.appended < 2 * self.answered,
            "few relations are answered: {self:?}"
        );
        // Readers come with cursors from before a relation to nodes that wake the account: it comes every other step.
        assert!(self.refused * 4 <= self.told, "{self:?}");
        assert!(
            self.refused_moderated * 2 <= self.told_moderated,
            "{self:?}"
        );
    }
}
