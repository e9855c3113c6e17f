//! A data folder that cannot be used any more, put aside: nothing is deleted that somebody may still want to look at.

use super::{DiskError, OF_SLED_LOCKED, is_there};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// What is put behind the name of a folder that was put aside.
const ASIDE: &str = "aside";
/// The files by which a folder of sled's is known.
const OF_SLED: [&str; 2] = ["conf", OF_SLED_LOCKED];

/// Renames a data folder, so that the next start makes it anew from the log. Where it is now; none if there was none.
///
/// Errors: another process has it open, one was put aside before (only one is kept, lest a supervisor that is told to rebuild
/// fills the disk), it is no data folder, or it cannot be renamed.
pub fn put_aside(folder: &Path) -> Result<Option<PathBuf>, DiskError> {
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| DiskError::Io {
            doing,
            path,
            source,
        }
    };
    if !is_there(folder)? {
        return Ok(None);
    }
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ASIDE);
    let aside = folder.with_file_name(name);
    if is_there(&aside)? {
        return Err(DiskError::AsideBefore { aside });
    }
    if !OF_SLED.iter().any(|file| folder.join(file).exists()) {
        return Err(DiskError::NoData {
            path: folder.to_owned(),
        });
    }
    let locked = folder.join(OF_SLED_LOCKED);
    // Let go before it is renamed; whoever opens it in between is renamed with it, and keeps it locked.
    // Without it there is nothing to lock.
    let lock = File::open(&locked).map(|file| file.try_lock());
    if let Ok(Err(TryLockError::WouldBlock)) = lock {
        return Err(DiskError::InUse {
            path: folder.to_owned(),
        });
    }
    std::fs::rename(folder, &aside).map_err(failed("rename", folder))?;
    let parent = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let synced = File::open(parent).and_then(|parent| parent.sync_all());
    synced.map_err(failed("sync", parent))?;
    Ok(Some(aside))
}

#[cfg(test)]
mod tests {
    use super::super::{Disk, Tree};
    use super::*;

    /// Were this to fail, `--rebuild` could rename what is no data folder, or one under the process that uses it.
    #[test]
    fn a_data_folder_is_put_aside_once_and_nothing_else_ever() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("feeds");
        assert!(put_aside(&folder).unwrap().is_none());

        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("letters"), "dear").unwrap();
        assert!(matches!(put_aside(&folder), Err(DiskError::NoData { .. })));
        std::fs::remove_file(folder.join("letters")).unwrap();

        let disk = Disk::open(&folder, 1 << 20).unwrap();
        disk.put(Tree::Meta, b"k", b"v".to_vec()).unwrap();
        disk.sync().unwrap();
        assert!(matches!(put_aside(&folder), Err(DiskError::InUse { .. })));
        drop(disk);
        let aside = put_aside(&folder).unwrap().unwrap();
        assert!(!folder.exists());
        let disk = Disk::open(&aside, 1 << 20).unwrap();
        assert_eq!(disk.get(Tree::Meta, b"k").unwrap().unwrap(), b"v");
        drop(disk);

        drop(Disk::open(&folder, 1 << 20).unwrap());
        assert!(matches!(
            put_aside(&folder),
            Err(DiskError::AsideBefore { .. })
        ));
        assert!(folder.exists());
    }
}
