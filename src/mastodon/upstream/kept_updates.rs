//! The new statuses that the backend's stream sent and that this service's feed has not shown yet, and the edits and deletes that
//! were passed on. Pure.

use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most statuses that are kept for one client; the oldest goes first, and is asked for when its turn comes.
const KEPT_MAX: usize = 200;
/// The most bytes of them.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// The most bytes that are kept for all clients; more are not kept, and asked for when their turn comes.
const ALL_BYTES_MAX: usize = 64 << 20;
/// The most edits and deletes that are remembered for one client.
const PASSED_MAX: usize = 64;

/// The bytes kept for all clients.
pub(crate) type AllBytes = Arc<AtomicUsize>;

/// The events of one client's stream that matter later.
#[derive(Debug)]
pub(super) struct KeptUpdates {
    /// Statuses as texts of JSON in a text of JSON, by their ids, with the number of each.
    updates: HashMap<String, (u64, Box<str>)>,
    /// Oldest first; a number that is not that of its id is of a status that was replaced or removed.
    order: VecDeque<(u64, String)>,
    next: u64,
    bytes: usize,
    all_bytes: AllBytes,
    edited: VecDeque<String>,
    deleted: VecDeque<String>,
}

impl KeptUpdates {
    pub(super) fn new(all_bytes: AllBytes) -> KeptUpdates {
        KeptUpdates {
            updates: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
            bytes: 0,
            all_bytes,
            edited: VecDeque::new(),
            deleted: VecDeque::new(),
        }
    }

    /// Keeps a new status, if there is room for it.
    pub(super) fn keep(&mut self, id: String, payload: &str) {
        self.remove(&id);
        let bytes = payload.len();
        if KEPT_BYTES_MAX < bytes {
            return;
        }
        while KEPT_MAX <= self.updates.len() || KEPT_BYTES_MAX < self.bytes + bytes {
            let Some((number, oldest)) = self.order.pop_front() else {
                break;
            };
            if self
                .updates
                .get(&oldest)
                .is_some_and(|(it, _)| *it == number)
            {
                self.remove(&oldest);
            }
        }
        if ALL_BYTES_MAX < self.all_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes {
            self.all_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return;
        }
        self.bytes += bytes;
        self.next += 1;
        self.updates.insert(id.clone(), (self.next, payload.into()));
        self.order.push_back((self.next, id));
        // Numbers of what was replaced are dropped with the oldest, and there are never many more than statuses.
        if 2 * KEPT_MAX < self.order.len() {
            let updates = &self.updates;
            self.order
                .retain(|(number, id)| updates.get(id).is_some_and(|(it, _)| it == number));
        }
    }

    /// A status that is kept.
    pub(super) fn get(&self, id: &str) -> Option<&str> {
        self.updates.get(id).map(|(_, payload)| &**payload)
    }

    /// An edit was passed on: what is kept is the newest.
    pub(super) fn edit(&mut self, id: String, payload: &str) {
        if self.updates.contains_key(&id) {
            self.keep(id.clone(), payload);
        }
        remember(&mut self.edited, id);
    }

    /// A delete was passed on.
    pub(super) fn delete(&mut self, id: String) {
        self.remove(&id);
        remember(&mut self.deleted, id);
    }

    /// Whether an edit of a status was passed on.
    pub(super) fn was_edited(&self, id: &str) -> bool {
        self.edited.iter().any(|it| it == id)
    }

    /// Whether the delete of a status was passed on.
    pub(super) fn was_deleted(&self, id: &str) -> bool {
        self.deleted.iter().any(|it| it == id)
    }

    /// The connection has ended: whether later edits and deletes are passed on is not known.
    pub(super) fn disconnect(&mut self) {
        self.edited.clear();
        self.deleted.clear();
    }

    fn remove(&mut self, id: &str) {
        if let Some((_, payload)) = self.updates.remove(id) {
            self.bytes -= payload.len();
            self.all_bytes.fetch_sub(payload.len(), Ordering::Relaxed);
        }
    }
}

impl Drop for KeptUpdates {
    fn drop(&mut self) {
        self.all_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn remember(ids: &mut VecDeque<String>, id: String) {
    if PASSED_MAX <= ids.len() {
        ids.pop_front();
    }
    ids.push_back(id);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_within_their_bounds() {
        let all = AllBytes::default();
        let mut kept = KeptUpdates::new(Arc::clone(&all));
        for n in 0..3 * KEPT_MAX {
            kept.keep(n.to_string(), "\"{}\"");
        }
        assert_eq!((kept.updates.len(), kept.get("0")), (KEPT_MAX, None));
        assert_eq!(kept.get("599"), Some("\"{}\""));
        let long = "x".repeat(KEPT_BYTES_MAX / 2);
        kept.keep("a".to_owned(), &long);
        kept.keep("b".to_owned(), &long);
        assert_eq!((kept.updates.len(), kept.bytes), (2, KEPT_BYTES_MAX));
        kept.keep("c".to_owned(), &"x".repeat(KEPT_BYTES_MAX + 1));
        assert_eq!(kept.get("c"), None);
        for _ in 0..10 * KEPT_MAX {
            kept.keep("again".to_owned(), "1");
        }
        assert!(kept.order.len() <= 2 * KEPT_MAX + 1);
        assert_eq!(all.load(Ordering::Relaxed), kept.bytes);
        drop(kept);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn there_is_a_bound_on_all_clients_together() {
        let all = AllBytes::default();
        all.store(ALL_BYTES_MAX - 1, Ordering::Relaxed);
        let mut kept = KeptUpdates::new(Arc::clone(&all));
        kept.keep("1".to_owned(), "x");
        kept.keep("2".to_owned(), "x");
        assert_eq!((kept.get("1"), kept.get("2")), (Some("x"), None));
        drop(kept);
        assert_eq!(all.load(Ordering::Relaxed), ALL_BYTES_MAX - 1);
    }

    /// A failure means that a reader who waits for order gets a post as it was before its edit, or one that was deleted.
    #[test]
    fn what_is_kept_follows_edits_and_deletes() {
        let mut kept = KeptUpdates::new(AllBytes::default());
        kept.keep("1".to_owned(), "\"first\"");
        kept.edit("1".to_owned(), "\"second\"");
        kept.edit("2".to_owned(), "\"never kept\"");
        assert_eq!((kept.get("1"), kept.get("2")), (Some("\"second\""), None));
        kept.delete("1".to_owned());
        assert_eq!(kept.get("1"), None);
        assert!(kept.was_edited("2") && kept.was_deleted("1") && !kept.was_deleted("2"));
        kept.disconnect();
        assert!(!kept.was_edited("2") && !kept.was_deleted("1"));
    }
}
