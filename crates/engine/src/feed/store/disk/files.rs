//! The names of the files that sled keeps in the data folder.

/// The file that the process which has the folder open has locked.
pub(super) const LOCKED: &str = "db";
/// The folder of long values.
pub(super) const BLOBS: &str = "blobs";
/// What the names of snapshots begin with.
pub(super) const SNAPSHOT: &str = "snap.";
