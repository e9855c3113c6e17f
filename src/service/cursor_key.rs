//! The key that cursors are sealed with: the first configured one, else one that is made once and kept beside the built-in log, so
//! that it outlives a rebuild. With Kafka there is no place that all nodes share: then there is none. What the others sealed is
//! taken too, as is what the kept one sealed before any was configured.

use super::error::ServiceError;
use crate::config::Config;
use crate::log;
use fs_err::{File, OpenOptions};
use slackwater_engine::view::seal::{Key, SealedLog};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The file in the built-in log's folder.
const FILE: &str = "cursor.key";
/// A key as it is made, in bytes.
const KEY_BYTES: usize = 32;

/// The log with its keys; one is made if there is to be one and is none yet.
pub(super) fn sealed(log: &SealedLog, config: &Config) -> Result<SealedLog, ServiceError> {
    let configured = config.cursor_keys.iter().map(|secret| {
        let secret = secret.as_ref()?;
        Some(Key::of(secret.reveal().as_bytes()))
    });
    let mut keys: Vec<Option<Key>> = configured.collect();
    if let log::Options::BuiltIn(built_in) = &config.log
        && (keys.is_empty() || built_in.path.join(FILE).exists())
    {
        let path = &built_in.path;
        let kept = kept(path).map_err(|source| ServiceError::CursorKey {
            path: path.join(FILE).display().to_string(),
            source,
        })?;
        keys.push(Some(Key::of(&kept)));
    }
    let log = log.clone();
    Ok(match keys.split_first() {
        None => log,
        Some((first, others)) => log.sealed_with(first.clone()).taking(others),
    })
}

/// What stands in the file; made first if there is none.
fn kept(folder: &Path) -> io::Result<Vec<u8>> {
    let path = folder.join(FILE);
    match fs_err::read(&path) {
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
    fs_err::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(&key)?;
    file.sync_all()?;
    fs_err::rename(&unfinished, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::auth::secret::Secret;
    use crate::log::built_in;

    /// Were this to fail, all readers would begin anew once a key is configured.
    #[test]
    fn what_the_kept_key_sealed_is_taken_also_when_another_is_configured() {
        let folder = tempfile::tempdir().unwrap();
        let secret = "abcdef0123456789abcdef0123456789";
        let config = |keys: &[&str]| {
            let mut config = Config::defaults(0);
            config.log = log::Options::BuiltIn(built_in::Options::at(folder.path()));
            let keys = keys.iter().map(|key| Some(Secret::new(key)));
            config.cursor_keys = keys.collect();
            config
        };
        let with = |keys: &[&str]| sealed(&SealedLog::new(1), &config(keys)).unwrap();
        let name = |key: &[u8]| SealedLog::new(1).sealed_with(Some(Key::of(key))).key_name();
        assert_eq!(with(&[secret]).key_name(), name(secret.as_bytes()));
        assert!(!folder.path().join(FILE).exists(), "nobody asked for one");

        let own = with(&[]);
        let then = with(&[secret]);
        assert_eq!(then.key_name(), name(secret.as_bytes()));
        assert!(then.by_name(&own.key_name()).is_some());
        let none = SealedLog::new(1).key_name();
        assert!(then.by_name(&none).is_none());
    }

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
