//! A server of files over TLS: OpenSSL's own.

use crate::support::wait_for;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running one, whose certificate is for `localhost`. Killed, by its process id, when dropped.
pub(crate) struct Tls {
    pub(crate) port: u16,
    process: Child,
    dir: TempDir,
}

impl Tls {
    pub(crate) fn start() -> Tls {
        let dir = TempDir::new().unwrap();
        let made = "set -e
            new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
            openssl req -x509 $new -keyout authority.key -out authority.pem -days 2 -subj /CN=authority
            openssl req $new -keyout key.pem -out request.pem -subj /CN=localhost
            echo subjectAltName=DNS:localhost > names
            openssl x509 -req -in request.pem -CA authority.pem -CAkey authority.key -CAcreateserial -extfile names -days 2 \\
                -out certificate.pem";
        let made = Command::new("sh")
            .args(["-c", made])
            .current_dir(dir.path())
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "openssl: run tests/run");
        let said = std::fs::File::create(dir.path().join("said")).unwrap();
        let process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-HTTP"])
            .args(["-cert", "certificate.pem", "-key", "key.pem"])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(said)
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let port = wait_for("the port of openssl", || {
            let said = std::fs::read_to_string(dir.path().join("said")).ok()?;
            let (_, port) = said.split_once("ACCEPT 127.0.0.1:")?;
            port.lines().next()?.trim().parse().ok()
        });
        Tls { port, process, dir }
    }

    /// The certificate of the authority that vouches for it.
    pub(crate) fn authority(&self) -> PathBuf {
        self.dir.path().join("authority.pem")
    }

    /// It has a document at this path.
    pub(crate) fn serves(&self, path: &str, document: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let answer = format!(
            "HTTP/1.0 200 So\r\ncontent-type: application/activity+json\r\ncontent-length: {}\r\n\r\n{document}",
            document.len()
        );
        std::fs::write(path, answer).unwrap();
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
