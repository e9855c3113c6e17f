//! A stand-in for a Mastodon behind its own proxy: a server of HTTP and a streaming server, which answer as Mastodon's do where
//! that matters here. What it knows, a test tells it.

mod own_clients;

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::{Error, Message, WebSocket};

/// The host that it is known by.
pub(crate) const WEB_DOMAIN: &str = "social.example";
/// The most ids of one call.
const IDS_MAX: usize = 20;

/// How its HTTP server is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mood {
    Well,
    /// It takes connections and answers nobody.
    Slow,
    /// It ends every connection.
    Gone,
    /// It answers everything with this status and an error.
    Failing(u16),
    /// It answers statuses with this.
    Wrong(String),
    /// It takes so long for each answer about statuses.
    Takes(Duration),
    /// It answers 429, with this header.
    Limited(&'static str, String),
}

/// What it knows.
pub(crate) struct Known {
    pub(crate) mood: Mood,
    /// Statuses by their ids, as nobody in particular sees them.
    pub(crate) statuses: BTreeMap<u64, Value>,
    /// Who may not see which.
    pub(crate) hidden: BTreeSet<(String, u64)>,
    /// What is so of a status for one account only: fields over those of the status.
    pub(crate) own: BTreeMap<(String, u64), Value>,
    /// Accounts and scopes by their tokens.
    pub(crate) tokens: HashMap<String, (String, String)>,
    pub(crate) lists: HashMap<String, Value>,
    /// Homes by their accounts, in any order.
    pub(crate) homes: HashMap<String, BTreeSet<u64>>,
    /// Whose home is being made anew.
    pub(crate) regenerating: BTreeSet<String>,
    /// What is so of the relation of an account to another: fields over those of accounts that have none.
    pub(crate) relations: BTreeMap<(String, String), Value>,
    /// Hashtags that accounts follow.
    pub(crate) hashtags: HashMap<String, Vec<&'static str>>,
    /// Whose token and which path every call had, in the order they came.
    pub(crate) calls: Vec<(String, String)>,
    /// The addresses that calls were made for.
    pub(crate) callers: BTreeSet<String>,
    /// The method, path and body of every call that was no `GET`, in the order they came.
    pub(crate) deeds: Vec<(String, String, String)>,
    /// Where its clients open streams, as its instance's document says: scheme, host and port.
    pub(crate) streams_at: String,
    /// The calls it is answering, and the most there were at once.
    now: usize,
    pub(crate) most_at_once: usize,
    sockets: Vec<Connected>,
    /// How many there were.
    sockets_ever: u64,
    takes_sockets: bool,
}

struct Connected {
    number: u64,
    token: String,
    /// The names of the streams it is subscribed to.
    streams: Vec<Vec<String>>,
    send: Sender<Outgoing>,
}

enum Outgoing {
    Text(String),
    End,
}

/// A running one. It ends with the test's process; its ports are its own until then.
#[derive(Clone)]
pub(crate) struct StandIn {
    web_domain: &'static str,
    http: SocketAddr,
    streaming: SocketAddr,
    known: Arc<Mutex<Known>>,
    mood_changed: Arc<Condvar>,
}

impl StandIn {
    pub(crate) fn start() -> StandIn {
        StandIn::start_as(WEB_DOMAIN)
    }

    /// Starts one that is known by this host.
    pub(crate) fn start_as(web_domain: &'static str) -> StandIn {
        let bind = || TcpListener::bind("127.0.0.1:0").expect("a port");
        let (http, streaming) = (bind(), bind());
        let stand_in = StandIn {
            web_domain,
            http: http.local_addr().expect("an address"),
            streaming: streaming.local_addr().expect("an address"),
            mood_changed: Arc::default(),
            known: Arc::new(Mutex::new(Known {
                mood: Mood::Well,
                statuses: BTreeMap::new(),
                hidden: BTreeSet::new(),
                own: BTreeMap::new(),
                tokens: HashMap::new(),
                lists: HashMap::new(),
                homes: HashMap::new(),
                regenerating: BTreeSet::new(),
                relations: BTreeMap::new(),
                hashtags: HashMap::new(),
                calls: Vec::new(),
                callers: BTreeSet::new(),
                deeds: Vec::new(),
                streams_at: String::new(),
                now: 0,
                most_at_once: 0,
                sockets: Vec::new(),
                sockets_ever: 0,
                takes_sockets: true,
            })),
        };
        for (listener, serve) in [
            (http, StandIn::serve as fn(&StandIn, TcpStream)),
            (streaming, StandIn::stream),
        ] {
            let of = stand_in.clone();
            std::thread::spawn(move || {
                for tcp in listener.incoming().flatten() {
                    let of = of.clone();
                    std::thread::spawn(move || serve(&of, tcp));
                }
            });
        }
        stand_in
    }

    /// The table `[mastodon]` of who asks it.
    pub(crate) fn config(&self) -> String {
        format!(
            "[mastodon]\nids = \"ref\"\nupstream = \"http://{}\"\nstreaming = \"http://{}\"\nweb_domain = \"{}\"\n",
            self.http, self.streaming, self.web_domain
        )
    }

    /// The ports of its HTTP server and of its streaming server.
    pub(crate) fn ports(&self) -> (u16, u16) {
        (self.http.port(), self.streaming.port())
    }

    /// What it knows, to be read or changed.
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("what it knows")
    }

    /// A token of an account's.
    pub(crate) fn token(&self, account: &str, scope: &str) -> String {
        let token = format!("token-{account}-{}", scope.replace([' ', ':'], "-"));
        let row = (account.to_owned(), scope.to_owned());
        self.known().tokens.insert(token.clone(), row);
        token
    }

    /// It has this status.
    pub(crate) fn has(&self, id: u64) {
        self.known().statuses.insert(id, status(id));
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.known().mood = mood;
        self.mood_changed.notify_all();
    }

    /// The paths that were asked for under a token, whose tails are cut off, since the last time.
    pub(crate) fn calls_of(&self, token: &str) -> Vec<String> {
        let mut known = self.known();
        let (own, others) = std::mem::take(&mut known.calls)
            .into_iter()
            .partition(|(of, _)| of == token);
        known.calls = others;
        let own: Vec<(String, String)> = own;
        own.into_iter().map(|(_, path)| path).collect()
    }

    /// How many connections of a token have a stream.
    pub(crate) fn watchers(&self, token: &str, stream: &[&str]) -> usize {
        let known = self.known();
        let of = known.sockets.iter().filter(|it| it.token == token);
        of.filter(|it| it.streams.iter().any(|names| names == stream))
            .count()
    }

    /// Sends an event of a stream to those of a token that have it; how many these are.
    pub(crate) fn tell(
        &self,
        token: &str,
        stream: &[&str],
        event: &str,
        payload: Option<&str>,
    ) -> usize {
        let mut message = json!({"stream": stream, "event": event});
        if let Some(payload) = payload {
            message["payload"] = json!(payload);
        }
        let known = self.known();
        let of = known.sockets.iter().filter(|it| it.token == token);
        let of = of.filter(|it| it.streams.iter().any(|names| names == stream));
        of.filter(|it| it.send.send(Outgoing::Text(message.to_string())).is_ok())
            .count()
    }

    /// Ends all streams; whether new ones are taken.
    pub(crate) fn end_streams(&self, takes_new: bool) {
        let mut known = self.known();
        known.takes_sockets = takes_new;
        for socket in known.sockets.drain(..) {
            // It may have gone by itself.
            let _ = socket.send.send(Outgoing::End);
        }
    }

    /// A status as an account sees it, as JSON text with bytes that no writer of ours makes.
    pub(crate) fn text(&self, account: &str, id: u64) -> Option<String> {
        self.known().text(account, id)
    }

    fn serve(&self, tcp: TcpStream) {
        let mut reader = BufReader::new(tcp.try_clone().expect("the same connection"));
        let mut out = tcp;
        while let Some(call) = Call::read(&mut reader) {
            let path = &call.path;
            let mood = self.known().mood.clone();
            if mood == Mood::Gone {
                return;
            }
            if mood == Mood::Slow {
                let is_slow = |known: &mut Known| known.mood == Mood::Slow;
                drop(self.mood_changed.wait_while(self.known(), is_slow));
                return;
            }
            if let (Mood::Takes(long), true) = (&mood, path.contains("id%5B%5D=")) {
                {
                    let mut known = self.known();
                    known.now += 1;
                    known.most_at_once = known.most_at_once.max(known.now);
                }
                // As long as such a call takes, or until the stand-in is to do otherwise.
                let takes = |known: &mut Known| known.mood == mood;
                let known = self
                    .mood_changed
                    .wait_timeout_while(self.known(), *long, takes);
                known.expect("what it knows").0.now -= 1;
            }
            let (status, extra, body) = self.answer(&call, &mood);
            let answer = format!(
                "HTTP/1.1 {status} So\r\ncontent-type: application/json\r\ncache-control: private, no-store\r\ncontent-length: {}\r\n{extra}\r\n{body}",
                body.len()
            );
            if out.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, call: &Call, mood: &Mood) -> (u16, String, String) {
        let path = call.path.as_str();
        let header = |name: &str| call.header(name);
        let plain = |status: u16, body: &str| (status, String::new(), body.to_owned());
        // As Rails' own middleware does, before any route.
        if header("host") != self.web_domain {
            return plain(403, "<html>Blocked hosts</html>");
        }
        if header("x-forwarded-proto") != "https" {
            let to = format!("location: https://{}{path}\r\n", self.web_domain);
            return (301, to, String::new());
        }
        let mut known = self.known();
        let token = header("authorization")
            .trim_start_matches("Bearer ")
            .to_owned();
        known.calls.push((token.clone(), path.to_owned()));
        known.callers.insert(header("x-forwarded-for").to_owned());
        match mood {
            Mood::Failing(status) => return plain(*status, r#"{"error":"so it is"}"#),
            Mood::Limited(name, value) => {
                let extra = format!("{name}: {value}\r\n");
                return (429, extra, r#"{"error":"Too many requests"}"#.to_owned());
            }
            _ => {}
        }
        if call.method != "GET" {
            let deed = (call.method.clone(), path.to_owned(), call.body.clone());
            known.deeds.push(deed);
        }
        if let Some(document) = known.instance(path, self.web_domain) {
            return plain(200, &document);
        }
        let Some((account, scope)) = known.tokens.get(&token).cloned() else {
            return plain(401, r#"{"error":"The access token is invalid"}"#);
        };
        if account.is_empty() {
            return plain(
                422,
                r#"{"error":"This method requires an authenticated user"}"#,
            );
        }
        if let Some((status, body)) = known.answer_of_client(&account, &scope, call) {
            return plain(status, &body);
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let needed = match path {
            "/api/v1/accounts/verify_credentials" => "read:accounts",
            "/api/v1/accounts/relationships" | "/api/v1/followed_tags" => "read:follows",
            _ if path.starts_with("/api/v1/lists") => "read:lists",
            _ => "read:statuses",
        };
        if !scope.split(' ').any(|it| it == needed || it == "read") {
            return plain(
                403,
                r#"{"error":"This action is outside the authorized scopes"}"#,
            );
        }
        let not_found = || plain(404, r#"{"error":"Record not found"}"#);
        let asked = |wanted: &str| -> Vec<String> {
            let pairs = url::form_urlencoded::parse(query.as_bytes());
            let pairs = pairs.filter(|(name, _)| name == wanted);
            pairs.map(|(_, value)| value.into_owned()).collect()
        };
        match path {
            "/api/v1/accounts/verify_credentials" => {
                plain(200, &own_clients::credentials(&account).to_string())
            }
            "/api/v1/timelines/home" => {
                let is_anew = known.regenerating.contains(&account);
                plain(
                    if is_anew { 206 } else { 200 },
                    &known.own_home(&account, query),
                )
            }
            "/api/v1/accounts/relationships" => {
                let relation = |id: String| {
                    let mut relation = json!({"id": id, "following": false, "showing_reblogs": false, "notifying": false,
                        "languages": null, "followed_by": false, "blocking": false, "blocked_by": false, "muting": false,
                        "muting_notifications": false, "requested": false, "domain_blocking": false, "endorsed": false, "note": ""});
                    let own = known.relations.get(&(account.clone(), id));
                    for (name, value) in own.and_then(Value::as_object).into_iter().flatten() {
                        relation[name] = value.clone();
                    }
                    relation
                };
                let all: Vec<Value> = asked("id[]").into_iter().map(relation).collect();
                plain(200, &json!(all).to_string())
            }
            "/api/v1/followed_tags" => {
                let names = known.hashtags.get(&account).cloned().unwrap_or_default();
                let all: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
                plain(200, &json!(all).to_string())
            }
            "/api/v1/lists" => {
                let lists = known.lists.get(&account).cloned();
                plain(200, &lists.unwrap_or_else(|| json!([])).to_string())
            }
            "/api/v1/statuses" => {
                let ids: Vec<u64> = url::form_urlencoded::parse(query.as_bytes())
                    .filter(|(name, _)| name == "id[]")
                    .filter_map(|(_, id)| id.parse().ok())
                    .collect();
                if IDS_MAX < ids.len() {
                    return plain(422, r#"{"error":"Too many IDs"}"#);
                }
                if let Mood::Wrong(body) = mood {
                    return plain(200, body);
                }
                let mut ids: Vec<u64> = BTreeSet::from_iter(ids).into_iter().collect();
                ids.reverse();
                let texts: Vec<String> = ids
                    .into_iter()
                    .filter_map(|id| known.text(&account, id))
                    .collect();
                plain(200, &format!("[{}]", texts.join(",\n ")))
            }
            _ => {
                if let Some(id) = path.strip_prefix("/api/v1/statuses/") {
                    let text = id.parse().ok().and_then(|id| known.text(&account, id));
                    return text.map_or_else(not_found, |text| plain(200, &text));
                }
                let id = path.strip_prefix("/api/v1/lists/").unwrap_or_default();
                let lists = known.lists.get(&account).and_then(Value::as_array);
                let list = lists.into_iter().flatten().find(|list| list["id"] == id);
                list.map_or_else(not_found, |list| plain(200, &list.to_string()))
            }
        }
    }

    fn stream(&self, mut tcp: TcpStream) {
        let mut start = [0; 32];
        let health = b"GET /api/v1/streaming/health";
        if tcp.peek(&mut start).is_ok() && start.starts_with(health) {
            let mut reader = BufReader::new(tcp.try_clone().expect("the same connection"));
            let answer = "HTTP/1.1 200 So\r\ncontent-length: 2\r\nconnection: close\r\n\r\nOK";
            if Call::read(&mut reader).is_some() {
                // Whoever asked may be gone.
                let _ = tcp.write_all(answer.as_bytes());
            }
            return;
        }
        let (mut token, mut first) = (String::new(), Vec::new());
        #[allow(clippy::result_large_err)]
        let admit = |request: &Request, mut response: Response| {
            let header = |name: &str| {
                request
                    .headers()
                    .get(name)
                    .and_then(|it| it.to_str().ok())
                    .unwrap_or_default()
            };
            let refuse = |status: u16| {
                let mut refusal = ErrorResponse::new(None);
                *refusal.status_mut() = status.try_into().expect("a status");
                Err(refusal)
            };
            let known = self.known();
            if !known.takes_sockets {
                return refuse(503);
            }
            if header("host") != self.web_domain || header("x-forwarded-proto") != "https" {
                return refuse(403);
            }
            // A browser cannot send a header of its own: it names its token in the query or as a protocol.
            let query = request.uri().query().unwrap_or_default();
            let query: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
            let named = |name: &str| query.get(name).map_or("", |it| it.as_ref());
            let places = [
                header("authorization").trim_start_matches("Bearer "),
                named("access_token"),
                header("sec-websocket-protocol"),
            ];
            let given = places.into_iter().find(|it| !it.is_empty());
            token = given.unwrap_or_default().to_owned();
            if let Some(protocol) = request.headers().get("sec-websocket-protocol") {
                let headers = response.headers_mut();
                headers.insert("sec-websocket-protocol", protocol.clone());
            }
            first = vec![named("stream").to_owned()];
            first.retain(|stream| !stream.is_empty());
            match known.tokens.contains_key(&token) {
                true => Ok(response),
                false => refuse(401),
            }
        };
        let Ok(mut socket) = tungstenite::accept_hdr(tcp, admit) else {
            return;
        };
        let (send, texts) = channel();
        let number = {
            let mut known = self.known();
            known.sockets_ever += 1;
            let number = known.sockets_ever;
            let streams = Some(first)
                .filter(|it| !it.is_empty())
                .into_iter()
                .collect();
            known.sockets.push(Connected {
                number,
                token,
                streams,
                send,
            });
            number
        };
        let wait = Duration::from_millis(10);
        socket
            .get_ref()
            .set_read_timeout(Some(wait))
            .expect("a timeout");
        // The client may go at any time.
        let _ = self.talk(&mut socket, &texts, number);
        self.known().sockets.retain(|it| it.number != number);
    }

    fn talk(
        &self,
        socket: &mut WebSocket<TcpStream>,
        texts: &Receiver<Outgoing>,
        number: u64,
    ) -> Result<(), Box<Error>> {
        loop {
            while let Ok(outgoing) = texts.try_recv() {
                match outgoing {
                    Outgoing::Text(text) => socket.send(Message::text(text))?,
                    Outgoing::End => return Ok(()),
                }
            }
            match socket.read() {
                Ok(Message::Text(text)) => {
                    let command: Value = serde_json::from_str(&text).expect("a command");
                    let of = command["list"].as_str().or(command["tag"].as_str());
                    let names = [command["stream"].as_str(), of].into_iter().flatten();
                    let names: Vec<String> = names.map(str::to_owned).collect();
                    self.subscribe(number, &names, command["type"] == "subscribe");
                }
                Ok(Message::Close(_)) => return Ok(()),
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) => {}
                Err(error) => return Err(Box::new(error)),
            }
        }
    }

    fn subscribe(&self, number: u64, names: &[String], is_wanted: bool) {
        let mut known = self.known();
        let own = known.sockets.iter_mut().find(|it| it.number == number);
        if let Some(socket) = own {
            socket.streams.retain(|it| it != names);
            if is_wanted {
                socket.streams.push(names.to_vec());
            }
        }
    }
}

impl Known {
    /// A status as an account sees it, if it may.
    fn text(&self, account: &str, id: u64) -> Option<String> {
        let key = (account.to_owned(), id);
        let mut status = self.statuses.get(&id).cloned()?;
        if self.hidden.contains(&key) {
            return None;
        }
        let own = self.own.get(&key).and_then(Value::as_object);
        for (name, value) in own.into_iter().flatten() {
            status[name] = value.clone();
        }
        let text = status.to_string();
        let inner = text.strip_suffix('}')?;
        Some(format!(
            "{inner}, \"odd\": 1.50e+3,\"said\":\"caf\\u00e9 \\/\"}}"
        ))
    }
}

/// A request.
struct Call {
    method: String,
    /// With its query.
    path: String,
    headers: HashMap<String, String>,
    body: String,
}

impl Call {
    /// Reads one; none if the connection has ended.
    fn read(reader: &mut BufReader<TcpStream>) -> Option<Call> {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let mut words = line.split(' ').map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length");
        let mut body = vec![0; length.and_then(|it| it.parse().ok()).unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        Some(Call {
            method,
            path,
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A status of this id.
fn status(id: u64) -> Value {
    json!({"id": id.to_string(), "created_at": "2026-11-29T12:00:00.000Z", "in_reply_to_id": null,
        "in_reply_to_account_id": null, "sensitive": false, "spoiler_text": "", "visibility": "public", "language": "en",
        "uri": format!("https://a.example/users/ana/statuses/{id}"), "url": format!("https://a.example/@ana/{id}"),
        "replies_count": 0, "reblogs_count": 0, "favourites_count": 0, "quotes_count": 0, "edited_at": null,
        "content": format!("<p>as the backend shows {id}</p>"), "reblog": null, "favourited": false, "reblogged": false,
        "muted": false, "bookmarked": false, "filtered": [], "account": {"id": "900", "username": "ana", "acct": "ana@a.example"},
        "media_attachments": [], "mentions": [], "tags": [], "emojis": [], "card": null, "poll": null, "quote": null})
}
