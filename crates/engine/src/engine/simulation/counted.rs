//! What came of many seeds: rates that must stay low, and things that must happen at all.

/// Rates are looked at from so many seeds on.
const RATES_FROM: u64 = 200;

/// What came of many seeds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) seeds: u64,
    /// Answers to cursors, and refusals among them.
    pub(super) told: u64,
    pub(super) refused: u64,
    /// The same, of readers whose node never failed.
    pub(super) told_undisturbed: u64,
    pub(super) refused_undisturbed: u64,
    /// Refusals of those who watch feeds longer than any history.
    pub(super) refused_watching: u64,
    /// The same, of readers who woke the account.
    pub(super) told_woken: u64,
    pub(super) refused_woken: u64,
    pub(super) told_moderated: u64,
    pub(super) refused_moderated: u64,
    pub(super) looks: u64,
    /// Looks at feeds that had dropped something, and those of them where not all of it was known that hides repeats.
    pub(super) looks_trimmed: u64,
    pub(super) knew_less: u64,
    /// Copies that differed from a fresh read for what had been dropped for length.
    pub(super) misled: u64,
    pub(super) crashes: u64,
    /// Accounts that fell asleep, and looks at unsettled feeds.
    pub(super) slept: u64,
    /// Looks at lists.
    pub(super) lists: u64,
    pub(super) pending_relations: u64,
    /// Looks at feeds while boosts waited to come or go, and entries of these that pages left out.
    pub(super) amid_boosts: u64,
    pub(super) hidden: u64,
    /// Records that say of mutes that they have ended.
    pub(super) ended_mutes: u64,
    /// Posts of which a stub was left.
    pub(super) expired: u64,
    /// Entries that were looked at whose places are their refs.
    pub(super) by_ref: u64,
    /// Entries that were looked at of posts that had been forgotten and came again.
    pub(super) again: u64,
}

impl Counted {
    pub(super) fn add(&mut self, other: Counted) {
        self.seeds += other.seeds;
        self.told += other.told;
        self.refused += other.refused;
        self.told_undisturbed += other.told_undisturbed;
        self.refused_undisturbed += other.refused_undisturbed;
        self.refused_watching += other.refused_watching;
        self.told_woken += other.told_woken;
        self.refused_woken += other.refused_woken;
        self.told_moderated += other.told_moderated;
        self.refused_moderated += other.refused_moderated;
        self.looks += other.looks;
        self.looks_trimmed += other.looks_trimmed;
        self.knew_less += other.knew_less;
        self.misled += other.misled;
        self.crashes += other.crashes;
        self.slept += other.slept;
        self.lists += other.lists;
        self.pending_relations += other.pending_relations;
        self.amid_boosts += other.amid_boosts;
        self.hidden += other.hidden;
        self.ended_mutes += other.ended_mutes;
        self.expired += other.expired;
        self.by_ref += other.by_ref;
        self.again += other.again;
    }

    /// Refusing is always right and never useful: it must stay rare. Of a thousand seeds' answers 1 in 100 is one where
    /// nodes do not fail (feeds of four entries, accounts removed, cursors given amid a batch), 1 in 30 where they do.
    pub(super) fn check(&self) {
        assert_eq!(
            self.refused_watching, 0,
            "a cursor was refused for no reason"
        );
        if self.seeds < RATES_FROM {
            return;
        }
        assert!(
            20 * self.refused_woken < 19 * self.told_woken,
            "no cursor outlives a sleep: {self:?}"
        );
        assert!(0 < self.hidden, "nothing waited to leave: {self:?}");
        assert!(0 < self.ended_mutes, "no mute ended: {self:?}");
        assert!(0 < self.expired, "nothing became a stub: {self:?}");
        assert!(0 < self.by_ref, "no place was a ref: {self:?}");
        assert!(0 < self.again, "nothing forgotten came again: {self:?}");
        // Feeds of four or eight, rebuilt, given up and merged time and again.
        assert!(self.knew_less * 1_000 <= self.looks_trimmed, "{self:?}");
        assert!(self.misled * 5_000 <= self.told, "{self:?}");
        assert!(
            self.refused_undisturbed * 50 <= self.told_undisturbed,
            "{self:?}"
        );
        assert!(self.refused * 20 <= self.told, "{self:?}");
        assert!(
            self.refused_moderated * 8 <= self.told_moderated,
            "{self:?}"
        );
    }
}
