//! A reader who watches: a real websocket client, and the copy of a feed it keeps by what it is told.

use super::DEADLINE;
use super::instance::Door;
use jsonschema::Validator;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::Duration;
use tungstenite::client::IntoClientRequest;
use tungstenite::error::{ProtocolError, UrlError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Error, Message, WebSocket, connect};

/// The schema of messages, as it is shipped.
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = include_str!("../../../schemas/stream-message.schema.json");
    let schema = serde_json::from_str(schema).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
});

/// A connection to a stream.
pub(crate) struct Stream {
    pub(crate) socket: WebSocket<MaybeTlsStream<TcpStream>>,
    /// What every message must be.
    schema: &'static Validator,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    Text(Value),
    Closed(u16),
    /// The connection ended without a word.
    Gone,
}

/// A copy of a feed, kept by what a stream tells.
pub(crate) struct Watcher {
    path: String,
    pub(crate) stream: Option<Stream>,
    entries: BTreeMap<u64, Value>,
    pub(crate) cursor: String,
    /// Every change told, in the order told.
    pub(crate) told: Vec<Value>,
}

impl Stream {
    /// Opens a stream; the status if it is refused, 0 if nobody is there.
    pub(crate) fn open(door: &Door, path: &str, headers: &[(&str, &str)]) -> Result<Stream, u16> {
        let url = format!("{}{path}", door.base().replace("http://", "ws://"));
        let mut request = url.into_client_request().expect("a URL");
        for (name, value) in headers {
            let name: tungstenite::http::HeaderName = name.parse().expect("a name");
            request
                .headers_mut()
                .insert(name, value.parse().expect("a value"));
        }
        match connect(request) {
            Ok((socket, _)) => {
                let schema = &SCHEMA;
                let stream = Stream { socket, schema };
                stream.wait_at_most(DEADLINE);
                Ok(stream)
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(
                Error::Io(_)
                | Error::Url(UrlError::UnableToConnect(_))
                | Error::Protocol(ProtocolError::HandshakeIncomplete),
            ) => Err(0),
            Err(error) => panic!("opening {path}: {error}"),
        }
    }

    pub(crate) fn wait_at_most(&self, wait: Duration) {
        if let MaybeTlsStream::Plain(tcp) = self.socket.get_ref() {
            tcp.set_read_timeout(Some(wait)).expect("a timeout");
        }
    }

    /// The next thing that comes, pings and pongs aside.
    pub(crate) fn next(&mut self) -> Came {
        let next = self.next_in_time();
        next.unwrap_or_else(|| panic!("waited in vain for a message"))
    }

    /// The same; none if nothing comes for as long as it waits at most.
    pub(crate) fn next_in_time(&mut self) -> Option<Came> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let text: Value = serde_json::from_str(&text).expect("JSON");
                    if let Err(error) = self.schema.validate(&text) {
                        panic!("{error}: {text}");
                    }
                    return Some(Came::Text(text));
                }
                Ok(Message::Close(frame)) => {
                    let code = frame.map_or(CloseCode::Status, |frame| frame.code);
                    return Some(Came::Closed(code.into()));
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    return None;
                }
                Err(_) => return Some(Came::Gone),
            }
        }
    }

    /// The next message.
    pub(crate) fn text(&mut self) -> Value {
        match self.next() {
            Came::Text(text) => text,
            other => panic!("a message was to come, and this did: {other:?}"),
        }
    }

    /// The next message that is no mark.
    pub(crate) fn change(&mut self) -> Value {
        loop {
            let message = self.text();
            if message["kind"] != "horizon" {
                return message;
            }
        }
    }
}

impl Watcher {
    /// Reads a feed, and begins to watch it from there. `feed` is its path.
    pub(crate) fn begin(door: &Door, feed: &str) -> Watcher {
        let page = door.get(&format!("{feed}?limit=80"));
        assert_eq!(page.status, 200, "{}", page.text);
        let page = page.json();
        let entries = page["entries"].as_array().expect("entries");
        Watcher {
            path: feed.to_owned(),
            stream: None,
            entries: entries.iter().map(|it| (id_of(it), it.clone())).collect(),
            cursor: page["cursor"].as_str().expect("a cursor").to_owned(),
            told: Vec::new(),
        }
    }

    /// Connects where it left off.
    pub(crate) fn connect(&mut self, door: &Door) {
        let path = format!("{}/stream?cursor={}", self.path, self.cursor);
        let mut stream = Stream::open(door, &path, &[]).expect("a stream");
        let hello = stream.text();
        assert_eq!(hello["kind"], "hello", "{hello}");
        self.stream = Some(stream);
    }

    /// Drops the connection.
    pub(crate) fn drop_out(&mut self) {
        self.stream = None;
    }

    /// Takes the next message in; true if it was a mark, none if the connection ended.
    pub(crate) fn take_one(&mut self) -> Option<bool> {
        let Came::Text(message) = self.stream.as_mut().expect("connected").next() else {
            self.stream = None;
            return None;
        };
        self.cursor = message["cursor"].as_str().expect("a cursor").to_owned();
        let floor = message["floor"]
            .as_str()
            .map(|floor| floor.parse::<u64>().expect("a floor"));
        let is_mark = self.take_in(message);
        if let Some(floor) = floor {
            self.entries = self.entries.split_off(&(floor + 1));
        }
        Some(is_mark)
    }

    /// Takes in what a message says of entries; whether it is a mark.
    fn take_in(&mut self, message: Value) -> bool {
        match message["kind"].as_str().expect("a kind") {
            "post" | "edit" => {
                assert_eq!(id_of(&message["entry"]), id_of(&message));
                self.entries
                    .insert(id_of(&message), message["entry"].clone());
                self.told.push(message);
            }
            "remove" => {
                self.entries.remove(&id_of(&message));
                self.told.push(message);
            }
            "horizon" => {
                assert!(message["floor"].is_string(), "{message}");
                return true;
            }
            other => panic!("{other}: {message}"),
        }
        false
    }

    /// Takes messages in up to the next change.
    pub(crate) fn take_change(&mut self) {
        while self.take_one().expect("a connection") {}
    }

    /// Takes the next message, which is to be of this kind and the last; the code it closes with.
    pub(crate) fn take_one_of_kind(&mut self, kind: &str) -> u16 {
        let mut stream = self.stream.take().expect("connected");
        loop {
            let message = stream.text();
            match message["kind"].as_str() {
                Some("horizon") => {}
                found if found == Some(kind) => break,
                _ => panic!("{kind} was to come: {message}"),
            }
        }
        match stream.next() {
            Came::Closed(code) => code,
            other => panic!("it was to close: {other:?}"),
        }
    }

    /// Takes in all there is, up to the second mark from now: the first may have been on its way.
    pub(crate) fn settle(&mut self) {
        for _ in 0..2 {
            while !self.take_one().expect("a connection") {}
        }
    }

    /// The feed as this reader has it, newest first.
    pub(crate) fn entries(&self) -> Vec<Value> {
        self.entries.values().rev().cloned().collect()
    }
}

fn id_of(of: &Value) -> u64 {
    let id = of["id"].as_str().and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| panic!("no id: {of}"))
}
