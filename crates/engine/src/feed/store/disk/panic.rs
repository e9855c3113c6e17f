//! sled panics where it meets what it did not write, and where its disk fails at a bad moment. That ends the process, and
//! every start would end so again: whoever reads the log must be told what to do.

use super::error::REBUILD;
use signal_hook::low_level;
use std::panic::{self, PanicHookInfo};
use std::path::PathBuf;

/// From now on a panic inside sled says which folder it is and what to do, and ends the process with 1 on the spot: no
/// thread of sled's can be waited for any more. Other panics are as before.
pub fn end_on_panic(folder: PathBuf) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !is_sleds(panic) {
            return before(panic);
        }
        let (folder, reason) = (folder.display(), panic.payload_as_str().unwrap_or_default());
        tracing::error!(
            reason,
            "the data folder {folder} is damaged, or its disk failed: if the next start ends like this too, {REBUILD} ({reason})"
        );
        low_level::exit(1);
    }));
}

/// Whether it is sled, or what sled calls, that panics.
fn is_sleds(panic: &PanicHookInfo<'_>) -> bool {
    panic
        .location()
        .is_some_and(|location| location.file().contains("/sled-"))
}
