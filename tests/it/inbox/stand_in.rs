//! A server of HTTP that keeps every request as its bytes came, and answers as a test says: the server behind the inbox mode, and the
//! servers of the actors that deliver to it.

use parking_lot::Mutex;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The first line, without its end.
    pub(crate) line: String,
    /// The lines of its headers, in their order.
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

/// What it answers.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// These bytes, and then the connection's end.
    Bytes(Vec<u8>),
    /// Nothing, for as long as it is waited for.
    Nothing,
    /// A head that announces no length, and then more and more.
    Endlessly,
}

type Answers = Arc<Mutex<Box<dyn FnMut(&Seen) -> Says + Send>>>;

/// A running one. It ends with the test's process.
#[derive(Clone)]
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    came: Arc<Mutex<Vec<String>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Answers,
}

impl StandIn {
    pub(crate) fn start(answer: impl FnMut(&Seen) -> Says + Send + 'static) -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let stand_in = StandIn {
            address: listener.local_addr().expect("an address"),
            came: Arc::default(),
            seen: Arc::default(),
            answers: Arc::new(Mutex::new(Box::new(answer))),
        };
        let of = stand_in.clone();
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let of = of.clone();
                std::thread::spawn(move || of.serve(tcp));
            }
        });
        stand_in
    }

    /// Its URL, without a path.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From here on it answers so.
    pub(crate) fn answers(&self, answer: impl FnMut(&Seen) -> Says + Send + 'static) {
        *self.answers.lock() = Box::new(answer);
    }

    /// The first lines of all that came, answered or not.
    pub(crate) fn came(&self) -> Vec<String> {
        self.came.lock().clone()
    }

    /// All that was answered.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    fn serve(&self, tcp: TcpStream) {
        let mut reader = BufReader::new(tcp);
        let Some(seen) = read(&mut reader) else {
            return;
        };
        self.came.lock().push(seen.line.clone());
        let says = (self.answers.lock())(&seen);
        self.seen.lock().push(seen);
        let tcp = reader.get_mut();
        // The other side may be gone.
        match says {
            Says::Bytes(bytes) => drop(tcp.write_all(&bytes)),
            Says::Nothing => drop(tcp.read(&mut [0])),
            Says::Endlessly => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/activity+json\r\n\r\n{";
                let mut alive = tcp.write_all(head.as_bytes());
                while alive.is_ok() {
                    alive = tcp.write_all(&[b' '; 64 << 10]);
                }
            }
        }
    }
}

/// A request with its body, by its length.
fn read(reader: &mut impl BufRead) -> Option<Seen> {
    let line = |reader: &mut dyn BufRead| {
        let mut text = Vec::new();
        reader.read_until(b'\n', &mut text).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        (!text.is_empty()).then(|| text.trim_end_matches(['\r', '\n']).to_owned())
    };
    let first = line(reader)?;
    let mut headers = Vec::new();
    loop {
        let next = line(reader)?;
        if next.is_empty() {
            break;
        }
        headers.push(next);
    }
    let length = headers.iter().find_map(|header| {
        let (name, value) = header.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Seen {
        line: first,
        headers,
        body,
    })
}

/// An answer with this status and body.
pub(crate) fn says(status: u16, kind: &str, body: &str) -> Says {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} So\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    Says::Bytes(text.into_bytes())
}

/// What most servers answer to a delivery.
pub(crate) fn accepted() -> Says {
    says(202, "text/plain", "")
}
