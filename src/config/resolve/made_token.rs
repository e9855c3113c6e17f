//! A token that is made at the first start, and read from its file at every other.

use crate::config::MissingToken;
use fs_err::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::OnceLock;

/// The random bytes of a token; it has two letters for each.
const BYTES: usize = 32;

/// The token in this file. Where there is no file yet, `missing` says what becomes of it.
pub(super) fn made_token(path: &Path, missing: MissingToken<'_>) -> io::Result<String> {
    match fs_err::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read.map(|token| token.trim_end().to_owned()),
    }
    let MissingToken::Make(show) = missing else {
        return assumed_token();
    };
    let token = random_token()?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    // Nobody but its owner may read it, and nobody finds half of it.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{token}")?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => File::open(folder)?.sync_all()?,
        // Another process was quicker: its token is the one.
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            return made_token(path, MissingToken::Assume);
        }
        Err(error) => return Err(error.error),
    }
    show(path, &token);
    Ok(token)
}

/// The token that is assumed where none is made yet: one for this process, so that a configuration that is read again is the same.
fn assumed_token() -> io::Result<String> {
    static ASSUMED: OnceLock<String> = OnceLock::new();
    if let Some(token) = ASSUMED.get() {
        return Ok(token.clone());
    }
    let token = random_token()?;
    Ok(ASSUMED.get_or_init(|| token).clone())
}

fn random_token() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::os::unix::fs::PermissionsExt;

    /// A failure means that a service has another token after every start, or that others on the machine can read it.
    #[test]
    fn a_token_is_made_once_shown_once_and_nobody_elses_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets/token");
        let shown = RefCell::new(Vec::new());
        let show =
            |path: &Path, token: &str| shown.borrow_mut().push((path.to_owned(), token.to_owned()));
        assert_eq!(made_token(&path, MissingToken::Assume).unwrap().len(), 64);
        assert_eq!(
            made_token(&path, MissingToken::Assume).unwrap(),
            made_token(&path, MissingToken::Assume).unwrap()
        );
        assert!(!path.exists(), "only looked at");
        let made = made_token(&path, MissingToken::Make(&show)).unwrap();
        assert_eq!(*shown.borrow(), [(path.clone(), made.clone())]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for missing in [MissingToken::Make(&show), MissingToken::Assume] {
            assert_eq!(made_token(&path, missing).unwrap(), made);
        }
        assert_eq!(shown.borrow().len(), 1);
        let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "nothing unfinished");
        let folder = made_token(dir.path(), MissingToken::Make(&show)).unwrap_err();
        let named = dir.path().display().to_string();
        assert!(folder.to_string().contains(&named), "{folder}");
    }
}
