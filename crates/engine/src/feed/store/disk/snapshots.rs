//! Snapshots of sled's that were begun and not finished. sled writes one at each start, under a name of its own until all of it
//! is synced, and then takes it for one all the same: where there was no room for it, each start after that says that the files
//! are damaged, also when there is room again.

use super::error::DiskError;
use super::files::{LOCKED, SNAPSHOT};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// What the names of those end with that are not finished.
const UNFINISHED: &str = ".generating";

/// Removes the snapshots that were not finished, and those with nothing in them: sled reads its log from the snapshot before, or
/// from its beginning. It removes that one only when the next is there to the end.
///
/// Nothing is removed while another process has the folder open: its start may be writing one.
pub(super) fn remove_unfinished(folder: &Path) -> Result<(), DiskError> {
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| DiskError::Io {
            doing,
            path,
            source,
        }
    };
    let lock = File::open(folder.join(LOCKED)).map(|file| (file.try_lock(), file));
    if let Ok((Err(TryLockError::WouldBlock), _)) = lock {
        return Ok(());
    }
    for file in fs::read_dir(folder).map_err(failed("list", folder))? {
        let file = file.map_err(failed("list", folder))?;
        let (name, path) = (file.file_name(), file.path());
        let name = name.to_string_lossy();
        let is_empty = || Ok(file.metadata()?.len() == 0);
        if !name.starts_with(SNAPSHOT)
            || !(name.ends_with(UNFINISHED) || is_empty().map_err(failed("look at", &path))?)
        {
            continue;
        }
        match fs::remove_file(&path) {
            Ok(()) => tracing::warn!(
                path = %path.display(),
                "removed {}, which an earlier start could not finish: the feeds are read without it",
                path.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("remove", &path)(error)),
        }
    }
    Ok(())
}
