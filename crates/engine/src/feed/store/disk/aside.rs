//! A data folder that cannot be used any more, put aside: nothing is deleted that somebody may still want to look at.

use super::error::DiskError;
use super::files::{BLOBS, LOCKED, SNAPSHOT};
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What is put behind the name of a folder that was put aside; the name of the folder in it where that cannot be.
const ASIDE: &str = "aside";
/// The files by which a folder of sled's is known.
const OF_SLED: [&str; 2] = ["conf", LOCKED];

/// Puts a data folder aside, so that the next start makes it anew from the log: it is renamed, or where it cannot be (a mount
/// point stays where it is mounted), what sled keeps in it is moved into the folder `aside` within it. Where it is now; none if
/// there was none.
///
/// Errors: another process has it open, one was put aside before (only one is kept, lest a supervisor that is told to rebuild
/// fills the disk), it is no data folder, or it can neither be renamed nor what is in it be moved.
pub fn put_aside(folder: &Path) -> Result<Option<PathBuf>, DiskError> {
    if !is_there(folder)? {
        return Ok(None);
    }
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ASIDE);
    let (beside, within) = (folder.with_file_name(name), folder.join(ASIDE));
    // A move that was cut off is gone on with: the locked file is moved last.
    for (aside, is_whole) in [
        (&beside, is_there(&beside)?),
        (&within, is_there(&within.join(LOCKED))?),
    ] {
        if is_whole {
            return Err(DiskError::AsideBefore {
                aside: aside.clone(),
            });
        }
    }
    if !OF_SLED.iter().any(|file| folder.join(file).exists()) {
        return Err(DiskError::NoData {
            path: folder.to_owned(),
        });
    }
    // Held until all is aside: nobody opens half of it. Without the file there is nothing to lock.
    let lock = File::open(folder.join(LOCKED)).map(|file| (file.try_lock(), file));
    if let Ok((Err(TryLockError::WouldBlock), _)) = lock {
        return Err(DiskError::InUse {
            path: folder.to_owned(),
        });
    }
    match fs::rename(folder, &beside) {
        Ok(()) => {
            let parent = match folder.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            sync(parent)?;
            Ok(Some(beside))
        }
        Err(error) if is_fixed(&error) => {
            move_within(folder, &within)?;
            Ok(Some(within))
        }
        Err(error) => Err(failed("rename", folder)(error)),
    }
}

/// Whether a folder cannot be renamed because of where it is, though what is in it may be.
fn is_fixed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        // A mount point, ...
        ErrorKind::ResourceBusy
            | ErrorKind::CrossesDevices
            // ... or in a folder in which nothing may be made.
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
    )
}

/// Moves what sled keeps in a folder, and nothing else that may be there.
fn move_within(folder: &Path, aside: &Path) -> Result<(), DiskError> {
    let mut names = Vec::new();
    for file in fs::read_dir(folder).map_err(failed("list", folder))? {
        let name = file.map_err(failed("list", folder))?.file_name();
        let text = name.to_string_lossy();
        if OF_SLED.contains(&&*text) || text == BLOBS || text.starts_with(SNAPSHOT) {
            names.push(name);
        }
    }
    // What a start does without comes first, should this be cut off and nobody ask for the rest of it.
    names.sort_by_key(|name| (name == LOCKED, name == BLOBS));
    match fs::create_dir(aside) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(failed("create", aside)(error));
        }
        _ => {}
    }
    for name in names {
        let file = folder.join(&name);
        fs::rename(&file, aside.join(&name)).map_err(failed("move", &file))?;
        // In this order also after a power cut.
        sync(aside)?;
        sync(folder)?;
    }
    Ok(())
}

fn sync(folder: &Path) -> Result<(), DiskError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed("sync", folder))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.to_owned();
    move |source| DiskError::Io {
        doing,
        path,
        source,
    }
}

fn is_there(path: &Path) -> Result<bool, DiskError> {
    path.try_exists().map_err(|source| DiskError::Io {
        doing: "look for",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Disk, Tree, patiently};
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
        let aside = patiently(|| put_aside(&folder)).unwrap();
        assert!(!folder.exists());
        let disk = patiently(|| Disk::open(&aside, 1 << 20));
        assert_eq!(disk.get(Tree::Meta, b"k").unwrap().unwrap(), b"v");
        drop(disk);

        drop(Disk::open(&folder, 1 << 20).unwrap());
        let refused = patiently(|| match put_aside(&folder) {
            Err(error @ DiskError::InUse { .. }) => Err(error),
            other => Ok(other),
        });
        assert!(matches!(refused, Err(DiskError::AsideBefore { .. })));
        assert!(folder.exists());
    }

    /// Were this to fail, `--rebuild` would take what is not its own out of a volume, or give up half-way what a power cut
    /// ended.
    #[test]
    fn where_the_folder_must_stay_what_sled_keeps_in_it_is_moved_and_a_move_that_was_cut_off_goes_on()
     {
        let dir = tempfile::tempdir().unwrap();
        let (folder, aside) = (dir.path().join("feeds"), dir.path().join("feeds/aside"));
        let disk = Disk::open(&folder, 1 << 20).unwrap();
        disk.put(Tree::Meta, b"k", vec![7; 2 << 20]).unwrap();
        disk.sync().unwrap();
        drop(disk);
        fs::create_dir(folder.join("lost+found")).unwrap();
        fs::write(folder.join("letters"), "dear").unwrap();
        let before = fs::read_dir(&folder).unwrap().count();

        // As far as one came that was cut off.
        fs::create_dir(&aside).unwrap();
        fs::rename(folder.join("conf"), aside.join("conf")).unwrap();
        move_within(&folder, &aside).unwrap();
        let left = || {
            let names = fs::read_dir(&folder).unwrap();
            let mut names: Vec<_> = names.map(|file| file.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(left(), [ASIDE, "letters", "lost+found"]);
        assert_eq!(fs::read_dir(&aside).unwrap().count(), before - 2);
        let disk = patiently(|| Disk::open(&aside, 1 << 20));
        let value = disk.get(Tree::Meta, b"k").unwrap().unwrap();
        assert_eq!(value, vec![7; 2 << 20]);
        drop(disk);

        drop(Disk::open(&folder, 1 << 20).unwrap());
        let refused = patiently(|| match put_aside(&folder) {
            Err(error @ DiskError::InUse { .. }) => Err(error),
            other => Ok(other),
        });
        assert!(matches!(refused, Err(DiskError::AsideBefore { .. })));
        fs::remove_dir_all(&aside).unwrap();
        assert!(patiently(|| put_aside(&folder)).is_some());
    }

    /// Were this to fail, who gives the feeds a volume of their own could not have them made anew.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_mount_point_stays_and_what_is_in_it_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let (volume, folder) = (dir.path().join("volume"), dir.path().join("feeds"));
        fs::create_dir(&volume).unwrap();
        fs::create_dir(&folder).unwrap();
        let mounted = std::process::Command::new("mount")
            .arg("--bind")
            .args([&volume, &folder])
            .output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            // Whoever may not mount makes do with the test above.
            return;
        }
        let _mount = Mount(folder.clone());
        drop(Disk::open(&folder, 1 << 20).unwrap());
        let aside = patiently(|| put_aside(&folder)).unwrap();
        assert_eq!(aside, folder.join(ASIDE));
        assert!(volume.join("aside/db").exists() && !volume.join("db").exists());
        drop(patiently(|| Disk::open(&aside, 1 << 20)));
    }

    /// Ends with the test, also one that fails.
    struct Mount(PathBuf);

    impl Drop for Mount {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg(&self.0).status();
        }
    }
}
