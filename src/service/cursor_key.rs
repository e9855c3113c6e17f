//! The key that cursors are sealed with: the configured one, else one that is made once and kept beside the built-in log, so
//! that it outlives a rebuild. With Kafka there is no place that all nodes share: then there is none.

use super::ServiceError;
use crate::config::{self, Log};
use crate::reader::seal::Key;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The file in the built-in log's folder.
const FILE: &str = "cursor.key";
/// A key as it is made, in bytes.
const KEY_BYTES: usize = 32;

/// The key; made if there is to be one and is none yet.
pub(super) fn cursor_key(config: &config::Config) -> Result<Option<Key>, ServiceError> {
    if let Some(secret) = &config.auth.cursor_key {
        return Ok(Some(Key::of(secret.reveal().as_bytes())));
    }
    match &config.log {
        Log::BuiltIn { path, .. } => {
            let kept = kept(path).map_err(|source| ServiceError::CursorKey {
                path: path.join(FILE).display().to_string(),
                source,
            });
            kept.map(|secret| Some(Key::of(&secret)))
        }
        Log::Kafka(_) => Ok(None),
    }
}

/// What stands in the file; made first if there is none.
fn kept(folder: &Path) -> io::Result<Vec<u8>> {
    let path = folder.join(FILE);
    match std::fs::read(&path) {
        Ok(key) if key.len() < KEY_BYTES => {
            let why = "shorter than a key is: delete it, and another is made";
            return Err(io::Error::new(ErrorKind::InvalidData, why));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read,
    }
    let mut key = vec![0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    // Under another name until it is whole: a process that ends meanwhile leaves half a key nowhere.
    let unfinished = folder.join("cursor.key.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(&key)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = kept(folder.path()).unwrap();
        assert_eq!(key.len(), KEY_BYTES);
        assert_eq!(kept(folder.path()).unwrap(), key);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(kept(other.path()).unwrap(), key);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let about = std::fs::metadata(folder.path().join(FILE)).unwrap();
            assert_eq!(about.permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(folder.path().join(FILE), "short").unwrap();
        assert!(kept(folder.path()).is_err());
    }
}
