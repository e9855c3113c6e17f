//! How much memory there is, and which share of it what waits for a checkpoint may take.
//!
//! The more may wait, the fewer times a feed is rewritten (see [`crate::pipeline::due`]): so a bound that is right for a small
//! machine makes a large one write many times what it need.

use crate::config::{Bound, Feed};
use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

/// One part in so many of the memory is what posts may take that wait, and another what entries may. While a checkpoint is
/// written as much may gather again: a quarter in all.
const PART: u64 = 16;

/// The least and the most that `"auto"` gives to posts, in bytes. Below, every other post would make a checkpoint; above, time
/// makes one first ([`crate::pipeline::due::Due::replay_max`]).
const BYTES: (u64, u64) = (64_000_000, 4_000_000_000);

/// The most that an entry takes which waits for a checkpoint, in bytes.
const ENTRY_BYTES: u64 = 64;

/// What may wait for a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Feed entries.
    pub entries_max: usize,
    /// Bytes of posts.
    pub bytes_max: usize,
}

impl Waiting {
    /// What the configuration lets wait, where there are `usable` bytes of memory.
    pub fn of(feed: &Feed, usable: u64) -> Waiting {
        let (least, most) = BYTES;
        let part = (usable / PART).clamp(least, most);
        let fits = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Waiting {
            entries_max: match feed.unflushed_entries_max {
                Bound::Auto => fits(part / ENTRY_BYTES),
                Bound::Fixed(entries) => entries,
            },
            bytes_max: match feed.unflushed_bytes_max {
                Bound::Auto => fits(part),
                Bound::Fixed(bytes) => fits(bytes),
            },
        }
    }
}

/// The memory that this process may use, in bytes: the machine's, or what its control group leaves it (a container, a
/// systemd slice). 0 where it cannot be told.
pub fn usable() -> u64 {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let Ok(mut system) = System::new_with_specifics(memory) else {
        return 0;
    };
    let machine = system.total_memory();
    // Its own group: that of the system is what stands at the root, which is this process's only in a container.
    let group = sysinfo::get_current_pid().ok().and_then(|own| {
        let only = ProcessesToUpdate::Some(&[own]);
        system.refresh_processes_specifics(only, false, ProcessRefreshKind::nothing());
        system.process(own)?.cgroup_limits()
    });
    match group {
        Some(group) if 0 < group.total_memory => group.total_memory.min(machine),
        _ => machine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    /// Were this to fail, a small machine would run out of memory while posts wait, or a large one write feeds for nothing.
    #[test]
    fn what_waits_is_a_share_of_the_memory_unless_it_is_said() {
        let check = |entries, bytes, usable, expected: [usize; 2]| {
            let feed = Feed {
                unflushed_entries_max: entries,
                unflushed_bytes_max: bytes,
                ..Feed::default()
            };
            let [entries_max, bytes_max] = expected;
            let waiting = Waiting {
                entries_max,
                bytes_max,
            };
            assert_eq!(Waiting::of(&feed, usable), waiting, "{feed:?}, {usable}");
        };
        let auto = (Bound::Auto, Bound::Auto);
        check(auto.0, auto.1, 0, [1_000_000, 64_000_000]);
        check(auto.0, auto.1, GB, [1_000_000, 64_000_000]);
        check(auto.0, auto.1, 16 * GB, [15_625_000, 1_000_000_000]);
        check(auto.0, auto.1, 512 * GB, [62_500_000, 4_000_000_000]);
        check(Bound::Fixed(7), auto.1, 16 * GB, [7, 1_000_000_000]);
        check(auto.0, Bound::Fixed(7), 16 * GB, [15_625_000, 7]);
    }

    /// Were this to fail, every machine would be taken for one without memory.
    #[test]
    fn the_memory_of_this_machine_is_known() {
        assert!(64_000_000 < usable());
    }
}
