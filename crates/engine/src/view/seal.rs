//! Which log a cursor counts in, and what its text is sealed with, so that a cursor which nobody gave is known at once.
//! HMAC (RFC 2104) with SHA-256, of which the first half is kept.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// The seal at the end of a text, in bytes: half of SHA-256's, as RFC 2104, section 5, has it at least.
pub const SEAL_BYTES: usize = 16;
/// The name of a key, in bytes.
pub const NAME_BYTES: usize = 4;

/// The name of no key.
const UNSEALED: [u8; NAME_BYTES] = [0; NAME_BYTES];

/// What cursors are sealed with. Cheap to clone: every cursor has it along.
#[derive(Clone)]
pub struct Key(Arc<[u8; 32]>);

/// A log, and the key that seals cursors of it; without a key their text has only a checksum. There may be further keys whose cursors
/// are still accepted, so that nodes and readers go from one key to the next without a break.
#[derive(Clone)]
pub struct SealedLog {
    log: u64,
    key: Option<Key>,
    /// `None` within for no key; none at all mostly.
    others: Option<Arc<[Option<Key>]>>,
}

impl Key {
    /// The key of a secret, which holds as much chance as a key of 32 bytes.
    pub fn of(secret: &[u8]) -> Key {
        let mut hash = Sha256::new();
        hash.update(b"slackwater cursors\n");
        hash.update(secret);
        Key(Arc::new(hash.finalize().into()))
    }

    fn hmac(&self, parts: [&[u8]; 2]) -> Hmac<Sha256> {
        // A block long, as HMAC has it of every key.
        let mut key = [0; 64];
        for (byte, of_key) in key.iter_mut().zip(&*self.0) {
            *byte = *of_key;
        }
        let mut hmac: Hmac<Sha256> = hmac::digest::KeyInit::new(&key.into());
        for part in parts {
            hmac.update(part);
        }
        hmac
    }

    /// What tells it from another, and says nothing of it.
    fn name(&self) -> [u8; NAME_BYTES] {
        let whole: [u8; 32] = self.hmac([b"name", b""]).finalize().into_bytes().into();
        let [a, b, c, d, ..] = whole;
        // Not that of no key.
        [a | 1, b, c, d]
    }
}

impl SealedLog {
    /// A log by its hash.
    pub fn new(log: u64) -> SealedLog {
        SealedLog {
            log,
            key: None,
            others: None,
        }
    }

    /// The same, with what its cursors are sealed with.
    pub fn sealed_with(self, key: Option<Key>) -> SealedLog {
        SealedLog { key, ..self }
    }

    /// The same, where cursors are taken too that these have sealed; `None` stands for no key.
    pub fn taking(self, others: &[Option<Key>]) -> SealedLog {
        let others = (!others.is_empty()).then(|| others.into());
        SealedLog { others, ..self }
    }

    /// Another log, with the same keys.
    pub fn of(&self, log: &SealedLog) -> SealedLog {
        SealedLog {
            log: log.log,
            ..self.clone()
        }
    }

    /// The same with the key of this name, if cursors are taken that it sealed.
    pub fn by_name(&self, name: &[u8]) -> Option<SealedLog> {
        let others = self.others.as_deref().unwrap_or_default();
        let mut keys = std::iter::once(&self.key).chain(others);
        let key = keys.find(|key| name_of(key.as_ref()) == name)?;
        Some(SealedLog::new(self.log).sealed_with(key.clone()))
    }

    /// The hash it was made of.
    pub fn hash(&self) -> u64 {
        self.log
    }

    /// The name of the key.
    pub fn key_name(&self) -> [u8; NAME_BYTES] {
        name_of(self.key.as_ref())
    }

    /// The seal on what is said.
    pub fn seal(&self, said: &[u8]) -> [u8; SEAL_BYTES] {
        match &self.key {
            None => xxh3_128(said).to_le_bytes(),
            Some(key) => {
                let whole: [u8; 32] = key.hmac([b"seal", said]).finalize().into_bytes().into();
                let mut seal = [0; SEAL_BYTES];
                for (byte, of_whole) in seal.iter_mut().zip(whole) {
                    *byte = of_whole;
                }
                seal
            }
        }
    }

    /// Whether that is the seal on what is said, found out in a time that says nothing of where it is not.
    pub fn is_sealed(&self, said: &[u8], seal: &[u8]) -> bool {
        match &self.key {
            None => seal == self.seal(said),
            Some(key) => {
                seal.len() == SEAL_BYTES
                    && key
                        .hmac([b"seal", said])
                        .verify_truncated_left(seal)
                        .is_ok()
            }
        }
    }
}

fn name_of(key: Option<&Key>) -> [u8; NAME_BYTES] {
    key.map_or(UNSEALED, Key::name)
}

impl From<u64> for SealedLog {
    fn from(log: u64) -> SealedLog {
        SealedLog::new(log)
    }
}

/// Whether it is the same log.
impl PartialEq for SealedLog {
    fn eq(&self, other: &SealedLog) -> bool {
        self.log == other.log
    }
}

impl Eq for SealedLog {}

impl fmt::Debug for SealedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.log)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_of_one_key_and_one_text() {
        let key = |secret: &str| SealedLog::new(1).sealed_with(Some(Key::of(secret.as_bytes())));
        let (mine, other, none) = (key("mine"), key("other"), SealedLog::new(1));
        let seal = mine.seal(b"text");
        assert!(mine.is_sealed(b"text", &seal));
        assert!(!mine.is_sealed(b"texts", &seal));
        assert!(!mine.is_sealed(b"text", &seal[..8]));
        assert!(!mine.is_sealed(b"text", &[]));
        assert!(!other.is_sealed(b"text", &seal));
        assert!(!none.is_sealed(b"text", &seal));
        assert!(!mine.is_sealed(b"text", &none.seal(b"text")));
        let names = [&mine, &other, &none].map(SealedLog::key_name);
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2]);
        assert_eq!(format!("{mine:?} {:?}", Key::of(b"x")), "1 Key(redacted)");
    }

    /// As another program would do it: what a seal is must not change, or all readers begin anew.
    #[test]
    fn a_seal_is_hmac_with_sha_256() {
        let key = Sha256::digest(b"slackwater cursors\nsecret");
        let mut hmac = <Hmac<Sha256> as Mac>::new_from_slice(&key).unwrap();
        hmac.update(b"sealtext");
        let sealed = SealedLog::new(1).sealed_with(Some(Key::of(b"secret")));
        assert_eq!(sealed.seal(b"text"), hmac.finalize().into_bytes()[..16]);
    }
}
