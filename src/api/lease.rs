//! The lease of a node of a cluster, looked at before a feed is looked at and after what was found is whole.
//!
//! A node without a lease may not know what others have in force by now, so it shows nothing; and a page that was begun under a lease and
//! finished after it is thrown away. All that shows feeds gets at them through [`AppState`](super::state::AppState), which looks the first
//! time and notes under what; the second look is at what was noted, where the response of a request is whole. A stream looks for itself,
//! at every step, because it outlives its request.

use super::dismissals::MOVED;
use super::placement::{Permit, Placement};
use super::problem::Problem;
use super::state::AppState;
use super::websocket::code;
use axum::response::Response;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How long a stream waits for a lease that has run out: Kafka may only have paused.
const LAPSE_WAIT: Duration = Duration::from_secs(2);
/// How often such a stream looks whether there is a lease again.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(100);
/// In which time the streams of accounts that another node answers for are sent there, so that not all come at once.
const SENT_AWAY_WITHIN: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// The leases under which the request in hand looked at feeds.
    static LOOKED_UNDER: RefCell<Vec<Permit>>;
}

/// 503: this node does not answer for an account at this moment, and no other was found that does.
pub(crate) fn nobody() -> Problem {
    Problem::unavailable(
        "the node that answers for this account is changing: come back in a moment",
        1,
    )
}

/// The response that `answering` makes. 503 if a lease has not lasted: `first`, or one under which it looked at a feed.
pub(crate) async fn whole_under_leases(
    first: Option<Permit>,
    answering: impl Future<Output = Response>,
) -> Result<Response, Problem> {
    let leases = RefCell::new(first.into_iter().collect());
    let answering = async {
        let response = answering.await;
        let is_good = |permit: &Permit| permit.is_good();
        let all = LOOKED_UNDER.with(|leases| leases.borrow().iter().all(is_good));
        all.then_some(response).ok_or_else(nobody)
    };
    LOOKED_UNDER.scope(leases, answering).await
}

impl AppState {
    /// The lease under which feeds of an account, or of nobody, may be looked at now; none if this is the only node. 503 if they may not.
    pub(crate) fn permit(&self, account: Option<&str>) -> Result<Option<Permit>, Problem> {
        let Some(placement) = &self.placement else {
            return Ok(None);
        };
        let permit = placement.permit(account).ok_or_else(nobody)?;
        // A stream's task is no request's.
        let _ = LOOKED_UNDER.try_with(|leases| leases.borrow_mut().push(Arc::clone(&permit)));
        Ok(Some(permit))
    }

    /// As [`Self::permit`], for a stream: waits until there is one. A stream that waits too long is ended by [`StreamLease::ended`].
    pub(crate) async fn permit_of_stream(&self, account: Option<&str>) -> Option<Permit> {
        let placement = self.placement.as_ref()?;
        loop {
            if let Some(permit) = placement.permit(account) {
                return Some(permit);
            }
            sleep(LOOKED_AT_EVERY).await;
        }
    }

    /// What a stream of an account's feeds, or of nobody's, needs to last.
    pub(crate) fn stream_lease(&self, account: Option<&str>) -> StreamLease {
        StreamLease(self.placement.clone().map(|placement| Lasting {
            placement,
            account: account.map(Box::from),
        }))
    }
}

/// What a stream needs to last.
pub(crate) struct StreamLease(Option<Lasting>);

struct Lasting {
    placement: Arc<dyn Placement>,
    account: Option<Box<str>>,
}

impl StreamLease {
    /// Of a stream that this node only relays.
    pub(crate) fn of_another_node() -> StreamLease {
        StreamLease(None)
    }

    /// Waits until the stream is to end, with the close code and the reason for the client.
    pub(crate) async fn ended(&self) -> (u16, &'static str) {
        let Some(Lasting { placement, account }) = &self.0 else {
            return std::future::pending().await;
        };
        loop {
            if let Some(permit) = placement.permit(account.as_deref()) {
                permit.ended().await;
            }
            let is_leased = placement.permit(None).is_some();
            sleep(match is_leased {
                true => SENT_AWAY_WITHIN.mul_f64(fastrand::f64()),
                false => LAPSE_WAIT,
            })
            .await;
            if placement.permit(account.as_deref()).is_none() {
                return (code::RESTART, MOVED);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => sources(&path, into),
                false => into.push(path),
            }
        }
    }

    /// A failure means that something shows a feed without a lease, because it looks at the feed past the place where one is asked for.
    #[test]
    fn feeds_are_looked_at_in_one_place() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        for folder in ["api", "mastodon"] {
            sources(&root.join(folder), &mut files);
        }
        let looks = ["snapshot(", "home_snapshot(", "preview(", "explain("];
        let mut found = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let text: String = text.split_whitespace().collect();
            let looks = looks.map(|look| format!("view.{look}"));
            if looks.iter().any(|look| text.contains(look)) {
                found.push(file.strip_prefix(&root).unwrap().to_owned());
            }
        }
        assert_eq!(found, [Path::new("api/feed_lookup.rs")]);
    }
}
