//! How many files and connections this process may have open at once, and what of that connections leave to the rest.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// No more is asked of the system than this: beyond it connections are bounded by the configuration.
const WANTED: u64 = 1 << 20;

/// Left to what opens files and connections later, besides what is open at the start: segments of the log while they are
/// written and read, large values of the feeds, brokers that are met, questions about tokens.
const LEFT: usize = 64;

/// The fewest connections, however low the limit is: without any there is no service.
const CONNECTIONS_MIN: usize = 16;

/// Raises this process's limit as far as the system lets anybody raise it, and says what it is now; none if there is none.
///
/// The lower one is kept low for programs that use `select`, of which this is none.
pub(super) fn raise() -> Option<usize> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            ..limit
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of open files stays as it is: {error}");
        }
    }
    let limit = getrlimit(Resource::Nofile).current?;
    Some(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// How many connections there may be with a limit of so many open files, of which some are open already. `is_relayed`: each may have
/// another to the backend's streaming server or to another node, and there are those by which the backend and the nodes are asked.
pub(super) fn connections(limit: Option<usize>, is_relayed: bool) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").map_or(LEFT, Iterator::count);
    room(limit.unwrap_or(usize::MAX), open, is_relayed)
}

fn room(limit: usize, open: usize, is_relayed: bool) -> usize {
    let reserved = open.saturating_add(LEFT);
    let free = match is_relayed {
        true => limit.saturating_sub(reserved).saturating_sub(LEFT) / 2,
        false => limit.saturating_sub(reserved),
    };
    free.max(CONNECTIONS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, connections could take the files that the log and the feeds are written to.
    #[test]
    fn connections_leave_what_is_open_and_some_more() {
        assert_eq!(room(256, 30, false), 162);
        assert_eq!(room(1_024, 100, false), 860);
        assert_eq!(room(1_024, 100, true), 398);
        assert_eq!(room(64, 30, false), CONNECTIONS_MIN);
        assert_eq!(room(64, 30, true), CONNECTIONS_MIN);
        assert!(1_000_000 < room(usize::MAX, 30, true));
    }
}
