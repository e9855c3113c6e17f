//! Mutes in the log: which have ended, and that this is said there.

use super::{ACCOUNTS, AUTHORS, Log, actor};
use slackwater_fediverse::event::{Event, RelationChoice};
use slackwater_order::time::Time;

/// A mute that has ended: whose, of whom, and when it was to end.
pub(in crate::engine) type MuteEnd = (String, String, Time);

impl Log {
    /// A node appends that a mute has ended, behind all that has arrived. The mute may have been renewed meanwhile, or removed.
    pub(in crate::engine) fn end_mute(&mut self, (account, target, until): &MuteEnd, now: i64) {
        let account = ACCOUNTS.iter().position(|id| id == account).unwrap();
        let who = (0..AUTHORS).find(|who| actor(*who) == *target).unwrap();
        let until = until.millis();
        assert!(
            until <= now,
            "the mute of {who} by {account} until {until} was ended at {now}"
        );
        let relation = RelationChoice::MuteEnd(who, until);
        let end = Event::Relate {
            account,
            relation,
            holds: true,
        };
        self.append(end, now);
    }

    /// The mutes that were to end by `now`, of which no record says that they have.
    pub(in crate::engine) fn ended_mutes(&self, now: i64) -> Vec<(usize, usize)> {
        let all = (0..ACCOUNTS.len()).flat_map(|of| (0..AUTHORS).map(move |who| (of, who)));
        let has_ended = |(account, who): &(usize, usize)| {
            let newest = self.newest_mute(*account, *who, now);
            let Some((RelationChoice::MuteUntil(_, until), true)) = newest else {
                return false;
            };
            let end = self.newest_of(*account, *who, now, |it| {
                matches!(it, RelationChoice::MuteEnd(..))
            });
            until <= now && end != Some((RelationChoice::MuteEnd(*who, until), true))
        };
        all.filter(has_ended).collect()
    }

    /// The last word by `now` on whether an account mutes somebody.
    fn newest_mute(&self, account: usize, who: usize, now: i64) -> Option<(RelationChoice, bool)> {
        self.newest_of(account, who, now, |it| {
            matches!(it, RelationChoice::Mute(_) | RelationChoice::MuteUntil(..))
        })
    }

    /// The last word of this kind by `now` that an account says of somebody it mutes.
    fn newest_of(
        &self,
        account: usize,
        who: usize,
        now: i64,
        is_kind: impl Fn(&RelationChoice) -> bool,
    ) -> Option<(RelationChoice, bool)> {
        let mut newest: Option<((i64, usize, usize), RelationChoice, bool)> = None;
        for (partition, lines) in self.partitions.iter().enumerate() {
            for (offset, line) in lines.iter().enumerate() {
                let Event::Relate {
                    account: of,
                    relation,
                    holds,
                } = line.event
                else {
                    continue;
                };
                let (RelationChoice::Mute(whom)
                | RelationChoice::MuteUntil(whom, _)
                | RelationChoice::MuteEnd(whom, _)) = relation
                else {
                    continue;
                };
                let at = (line.arrived, partition, offset);
                if (of, whom) == (account, who)
                    && is_kind(&relation)
                    && line.arrived <= now
                    && newest.is_none_or(|(before, ..)| before < at)
                {
                    newest = Some((at, relation, holds));
                }
            }
        }
        newest.map(|(_, relation, holds)| (relation, holds))
    }
}
