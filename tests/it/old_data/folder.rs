//! A data folder in one file: sled's files are mostly zeros.

use std::fs;
use std::path::{Path, PathBuf};

/// Packs these folders below `root` into one file.
pub(super) fn pack(root: &Path, folders: &[&str], to: &Path) {
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    let mut left: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    while let Some(path) = left.pop() {
        let at = root.join(&path);
        if at.is_dir() {
            let entries = fs::read_dir(&at).expect("a folder");
            left.extend(entries.map(|entry| path.join(entry.expect("an entry").file_name())));
        } else {
            files.push((path, fs::read(&at).expect("a file")));
        }
    }
    files.sort();
    let bytes = postcard::to_stdvec(&files).expect("packing");
    fs::write(to, lz4_flex::compress_prepend_size(&bytes)).expect("writing the folder");
}

/// Unpacks below `root` what [`pack`] packed.
pub(super) fn unpack(file: &Path, root: &Path) {
    let packed = fs::read(file).expect("a packed folder");
    let bytes = lz4_flex::decompress_size_prepended(&packed).expect("a packed folder");
    let files: Vec<(PathBuf, Vec<u8>)> = postcard::from_bytes(&bytes).expect("a packed folder");
    for (path, content) in files {
        let at = root.join(path);
        fs::create_dir_all(at.parent().expect("a folder")).expect("making a folder");
        fs::write(at, content).expect("writing a file");
    }
}
