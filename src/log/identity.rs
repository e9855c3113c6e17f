//! Which log it is: a data folder is built from one log and cannot be read on with another, and cursors hold its offsets.

use super::{LogError, Options, kafka};
use crate::clock;
use std::io::Write;
use std::path::Path;

/// Stands between the name of a log and its id. No topic has a space in its name.
const CLUSTER: &str = " of cluster ";

/// The name of a log, and its id where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The kind of log and its topics, or the id of a built-in log.
    name: String,
    /// The id of the cluster, which tells it from others with the same topics; none if its brokers do not say it.
    id: Option<String>,
}

impl Options {
    /// Which log it is. The built-in log has an id in a file of its own, created with its folder. Kafka has the id of its
    /// cluster, and this blocks until a broker answers, for at most a minute.
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
    /// The text that a data folder keeps of its log. `built_from` is the text it has, if any. None if that is another log's.
    ///
    /// Where the id is missing, here or in `built_from`, the name decides.
    pub fn stored_as(&self, built_from: Option<&str>) -> Option<String> {
        let now = match &self.id {
            Some(id) => format!("{}{CLUSTER}{id}", self.name),
            None => self.name.clone(),
        };
        match built_from {
            None => Some(now),
            Some(before) if before == now || before == self.name => Some(now),
            Some(before) => {
                let name = before.split_once(CLUSTER).map(|(name, _)| name);
                let lacks_id = self.id.is_none() && name == Some(self.name.as_str());
                lacks_id.then(|| before.to_owned())
            }
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.stored_as(None).unwrap_or_default())
    }
}

/// The id of the built-in log in a folder, which is created if it has none.
fn built_in_id(folder: &Path) -> std::io::Result<String> {
    let path = folder.join("id");
    match fs_err::read_to_string(&path) {
        Ok(id) => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs_err::create_dir_all(folder)?;
    // One process does not create two logs in the same millisecond.
    let id = format!("{:x}-{:x}", clock::now().millis(), std::process::id());
    // The file has another name until it is whole: a process that ends meanwhile leaves no empty id.
    let unfinished = folder.join("id.new");
    let mut file = fs_err::File::create(&unfinished)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    fs_err::rename(&unfinished, &path)?;
    fs_err::File::open(folder)?.sync_all()?;
    Ok(id)
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
                now.stored_as(built_from).as_deref(),
                is,
                "{now} {built_from:?}"
            );
        };
        let (with_id, without_id) = (
            log("Kafka topics a and b", Some("X")),
            log("Kafka topics a and b", None),
        );
        let (named, whole) = ("Kafka topics a and b", "Kafka topics a and b of cluster X");
        check(&with_id, None, Some(whole));
        check(&with_id, Some(whole), Some(whole));
        check(&with_id, Some(named), Some(whole));
        check(&with_id, Some("Kafka topics a and b of cluster Y"), None);
        check(&with_id, Some("Kafka topics a and c of cluster X"), None);
        check(&with_id, Some("Kafka topics a and c"), None);
        check(&without_id, None, Some(named));
        check(&without_id, Some(named), Some(named));
        check(&without_id, Some(whole), Some(whole));
        check(&without_id, Some("Kafka topics a and c of cluster X"), None);
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
        // A process that ended while it wrote the id leaves this.
        std::fs::write(other.path().join("id.new"), "").unwrap();
        let made = built_in_id(other.path()).unwrap();
        assert!(!made.is_empty());
        assert_eq!(built_in_id(other.path()).unwrap(), made);
    }
}
