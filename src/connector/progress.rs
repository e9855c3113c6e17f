//! How far the first import and the mending after an overflow have come, in a file beside the log.

use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What is still to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// All posts up to this id of Mastodon's are in the log.
    pub posts_up_to: i64,
    /// Whether all posts are imported that there were.
    pub has_posts: bool,
    /// Whether posts may have gone without being noted, so that each that is kept has to be looked for.
    pub may_have_lost_posts: bool,
}

impl Progress {
    /// Nothing is imported of what came, or was written, since this time.
    pub fn from(oldest: Time) -> Progress {
        Progress {
            posts_up_to: oldest.millis().max(0) << 16,
            has_posts: false,
            may_have_lost_posts: false,
        }
    }
}

/// The file.
#[derive(Clone, Debug)]
pub struct ProgressFile(PathBuf);

impl ProgressFile {
    /// The file in this folder.
    pub fn within(folder: &Path) -> ProgressFile {
        ProgressFile(folder.join("mastodon-import.json"))
    }

    /// What it says; none if it is not there, or says nothing that can be read: then the import begins again, which does no harm.
    pub fn read(&self) -> io::Result<Option<Progress>> {
        match fs_err::read(&self.0) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces what it says. It is durable when this returns.
    pub fn write(&self, progress: &Progress) -> io::Result<()> {
        let folder = self.0.parent().unwrap_or(Path::new("."));
        // Under another name until it is whole.
        let unfinished = self.0.with_extension("json.new");
        let mut file = fs_err::File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(progress)?)?;
        file.sync_all()?;
        fs_err::rename(&unfinished, &self.0)?;
        fs_err::File::open(folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_no_progress_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = ProgressFile::within(folder.path());
        assert_eq!(file.read().unwrap(), None);
        let progress = Progress {
            has_posts: true,
            ..Progress::from(Time::from_millis(5))
        };
        file.write(&progress).unwrap();
        assert_eq!(file.read().unwrap(), Some(progress));
        std::fs::write(folder.path().join("mastodon-import.json"), "{").unwrap();
        assert_eq!(file.read().unwrap(), None);
    }
}
