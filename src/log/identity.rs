//! Which log it is: a data folder is built from one log and cannot be read on with another, and cursors hold its offsets.

use super::{LogError, Options, kafka};
use crate::clock;
use std::io::Write;
use std::path::Path;

/// Between a log's name and its id. No topic's name has a space.
const CLUSTER: &str = " of cluster ";

/// Which log it is: a data folder is built from one and cannot be read on with another, and cursors hold its offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What it is called.
    name: String,
    /// Which of those that are called so; none if it does not tell.
    id: Option<String>,
}

impl Options {
    /// Which log it is. The built-in log has an id in a file of its own, made with its folder; Kafka's is its cluster's,
    /// and this blocks until a broker answers, for at most a minute.
    pub fn identity(&self) -> Result<Identity, LogError> {
        match self {
            Options::BuiltIn(options) => {
                let id = built_in_id(&options.path).map_err(|source| LogError::Id { source })?;
                Ok(Identity {
                    name: format!("the built-in log {id}"),
                    id: None,
                })
            }
            Options::Kafka(kafka) => Ok(Identity {
                name: format!(
                    "Kafka topics {} and {}",
                    kafka.activities, kafka.relationships
                ),
                id: kafka::cluster_id(kafka)?,
            }),
        }
    }
}

impl Identity {
    /// The log as a data folder keeps it, which may have been built from `built_from`. None if that was another log.
    ///
    /// One that does not tell its id is taken for what it was, if it is called the same; so is one that had not told it
    /// before.
    pub fn of_folder(&self, built_from: Option<&str>) -> Option<String> {
        let now = match &self.id {
            Some(id) => format!("{}{CLUSTER}{id}", self.name),
            None => self.name.clone(),
        };
        match built_from {
            None => Some(now),
            Some(before) if before == now || before == self.name => Some(now),
            Some(before) => {
                let name = before.split_once(CLUSTER).map(|(name, _)| name);
                let is_untold = self.id.is_none() && name == Some(self.name.as_str());
                is_untold.then(|| before.to_owned())
            }
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.of_folder(None).unwrap_or_default())
    }
}

/// The id of the built-in log in a folder; made if it has none.
fn built_in_id(folder: &Path) -> std::io::Result<String> {
    let path = folder.join("id");
    match std::fs::read_to_string(&path) {
        Ok(id) => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(named("read", &path)(error)),
    }
    std::fs::create_dir_all(folder).map_err(named("create", folder))?;
    // Two logs made at one moment by one process are not to be expected.
    let id = format!("{:x}-{:x}", clock::now().millis(), std::process::id());
    // Under another name until it is whole: a process that ends meanwhile leaves no empty id.
    let unfinished = folder.join("id.new");
    let mut file = std::fs::File::create(&unfinished).map_err(named("create", &unfinished))?;
    writeln!(file, "{id}").map_err(named("write", &unfinished))?;
    file.sync_all().map_err(named("sync", &unfinished))?;
    std::fs::rename(&unfinished, &path).map_err(named("rename", &unfinished))?;
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(named("sync", folder))?;
    Ok(id)
}

/// The same error, with what we were doing to which file: the system's own says neither.
fn named(doing: &str, path: &Path) -> impl FnOnce(std::io::Error) -> std::io::Error {
    move |error| {
        let said = format!("could not {doing} {}: {error}", path.display());
        std::io::Error::new(error.kind(), said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, feeds built from one log would be read on with the offsets of another.
    #[test]
    fn a_folder_belongs_to_one_cluster_and_one_from_before_ids_were_kept_to_that_of_its_names() {
        let log = |name: &str, id: Option<&str>| Identity {
            name: name.to_owned(),
            id: id.map(str::to_owned),
        };
        let check = |now: &Identity, built_from: Option<&str>, is: Option<&str>| {
            assert_eq!(
                now.of_folder(built_from).as_deref(),
                is,
                "{now} {built_from:?}"
            );
        };
        let (told, untold) = (
            log("Kafka topics a and b", Some("X")),
            log("Kafka topics a and b", None),
        );
        let (named, whole) = ("Kafka topics a and b", "Kafka topics a and b of cluster X");
        check(&told, None, Some(whole));
        check(&told, Some(whole), Some(whole));
        check(&told, Some(named), Some(whole));
        check(&told, Some("Kafka topics a and b of cluster Y"), None);
        check(&told, Some("Kafka topics a and c of cluster X"), None);
        check(&told, Some("Kafka topics a and c"), None);
        check(&untold, None, Some(named));
        check(&untold, Some(named), Some(named));
        check(&untold, Some(whole), Some(whole));
        check(&untold, Some("Kafka topics a and c of cluster X"), None);
        check(
            &log("the built-in log 1", None),
            Some("the built-in log 2"),
            None,
        );
    }

    #[test]
    fn a_built_in_log_keeps_its_id_and_another_has_another() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = built_in_id(one.path()).unwrap();
        assert_eq!(built_in_id(one.path()).unwrap(), id);
        // As a process leaves it that ended while it made one.
        std::fs::write(other.path().join("id.new"), "").unwrap();
        let made = built_in_id(other.path()).unwrap();
        assert!(!made.is_empty());
        assert_eq!(built_in_id(other.path()).unwrap(), made);
    }
}
