//! How far this folder has forgotten: what a feed that begins anew could not say of it.

use super::Store;
use super::disk::DiskError;
use crate::record::Position;
use crate::record::offsets::Offsets;
use serde::{Deserialize, Serialize};
use slackwater_order::place::PostId;

/// Under which name the data folder keeps it.
const EXPIRED: &str = "expired";

/// What was forgotten for its age.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// The highest place of a post that became a stub or was forgotten. Above it every post is as it was.
    pub highest_post: PostId,
    /// Of each partition of relationships, the next offset after the newest removal of a relation that was forgotten.
    pub removals: Offsets,
}

impl Store {
    /// Reads what was forgotten. A folder that does not say may have forgotten anything that it had read by then, which is noted.
    pub(super) fn load_expired(&self) -> Result<(), DiskError> {
        if let Some(expired) = self.meta(EXPIRED)? {
            *self.expired.write() = expired;
            return Ok(());
        }
        let reflects = self.reflects()?;
        self.store_expired(Expired {
            highest_post: match reflects.next.is_empty() {
                true => PostId::MIN,
                false => PostId::new(reflects.log_time, 0, 0),
            },
            removals: Offsets::new(&reflects.next),
        })
    }

    /// What was forgotten.
    pub fn expired(&self) -> Expired {
        self.expired.read().clone()
    }

    /// Notes that posts up to this place became stubs or were forgotten. To be called before that is stored.
    pub fn note_expired_post(&self, id: PostId) -> Result<(), DiskError> {
        let mut expired = self.expired();
        if id <= expired.highest_post {
            return Ok(());
        }
        expired.highest_post = id;
        self.store_expired(expired)
    }

    /// Notes that the removals of relations which these are the next offsets after were forgotten. To be called before that is stored.
    pub(super) fn note_expired_removals(&self, next: &[Position]) -> Result<(), DiskError> {
        let mut expired = self.expired();
        let before = expired.clone();
        for position in next {
            expired.removals.raise(*position);
        }
        if expired == before {
            return Ok(());
        }
        self.store_expired(expired)
    }

    fn store_expired(&self, expired: Expired) -> Result<(), DiskError> {
        self.put_meta(EXPIRED, &expired)?;
        *self.expired.write() = expired;
        Ok(())
    }
}
