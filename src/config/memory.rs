//! The memory of this machine, and the share of it that posts and entries may take while they wait for a checkpoint.
//!
//! The more may wait, the fewer times a feed is rewritten (see [`crate::pipeline::due`]): so a bound that is right for a small
//! machine makes a large one write many times what it has to.

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

/// Posts that wait may take one part in so many of the memory, and entries another. While a checkpoint is written as much may
/// gather again: a quarter in all.
const PART: u64 = 16;

/// The least and the most that `"auto"` gives to posts, in bytes. Below, every other post would make a checkpoint; above, time
/// makes one first ([`crate::pipeline::due::Due::replay_max`]).
const BYTES: (u64, u64) = (64_000_000, 4_000_000_000);

/// The most that an entry takes which waits for a checkpoint, in bytes.
const ENTRY_BYTES: u64 = 64;

/// How much may wait for a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnflushedShare {
    /// Feed entries.
    pub entries_max: usize,
    /// Bytes of posts.
    pub bytes_max: usize,
}

impl UnflushedShare {
    /// The share of so many usable bytes of memory.
    pub fn of(usable_bytes: u64) -> UnflushedShare {
        let (least, most) = BYTES;
        let part = (usable_bytes / PART).clamp(least, most);
        let fits = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        UnflushedShare {
            entries_max: fits(part / ENTRY_BYTES),
            bytes_max: fits(part),
        }
    }
}

/// The memory that this process may use, in bytes: the machine's, or what its control group leaves it (a container, a
/// systemd slice). 0 where it is unknown.
pub fn usable_bytes() -> u64 {
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
    fn what_waits_is_a_share_of_the_memory() {
        let check = |usable_bytes, entries_max, bytes_max| {
            let share = UnflushedShare {
                entries_max,
                bytes_max,
            };
            assert_eq!(UnflushedShare::of(usable_bytes), share, "{usable_bytes}");
        };
        check(0, 1_000_000, 64_000_000);
        check(GB, 1_000_000, 64_000_000);
        check(16 * GB, 15_625_000, 1_000_000_000);
        check(512 * GB, 62_500_000, 4_000_000_000);
    }

    /// Were this to fail, every machine would be taken for one without memory.
    #[test]
    fn the_memory_of_this_machine_is_known() {
        assert!(64_000_000 < usable_bytes());
    }
}
