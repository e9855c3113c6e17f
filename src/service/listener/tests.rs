use super::*;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::get;
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;

/// The longest that anything is waited for: a slow machine needs a while.
const DEADLINE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(3_600);

const WAITS: Waits = Waits {
    head: LONG,
    idle: LONG,
    write: LONG,
};

const ASKED: &[u8] = b"GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A listener that answers on `/quick` at once, on `/slow` when it is told, on `/stream` with a websocket's handshake and then
/// whatever it hears.
struct Answering {
    address: SocketAddr,
    asked: Arc<Notify>,
    told: Arc<Notify>,
    stopping: CancellationToken,
}

impl Answering {
    fn start(connections_max: usize, waits: Waits) -> Answering {
        Answering::with(connections_max, waits, Router::new())
    }

    fn with(connections_max: usize, waits: Waits, routes: Router) -> Answering {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind(here, connections_max, waits).unwrap();
        let address = listener.address().unwrap();
        let (asked, told) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (is_asked, is_told) = (Arc::clone(&asked), Arc::clone(&told));
        let slow = move || async move {
            is_asked.notify_one();
            is_told.notified().await;
            "slow"
        };
        let routes = routes
            .route("/quick", get(|| async { "quick" }))
            .route("/slow", get(slow))
            .route("/stream", get(echoes));
        let stopping = CancellationToken::new();
        tokio::spawn(listener.serve(routes, stopping.clone()));
        Answering {
            address,
            asked,
            told,
            stopping,
        }
    }

    /// A connection on which this was sent.
    async fn sent(&self, bytes: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        socket
    }

    /// What is answered on a new connection until it ends.
    async fn answer(&self, bytes: &[u8]) -> String {
        let mut socket = self.sent(bytes).await;
        rest(&mut socket).await
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

/// Says what it hears, on a connection that has become a stream.
async fn echoes(request: Request) -> impl IntoResponse {
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.unwrap();
        let mut stream = TokioIo::new(upgraded);
        let mut heard = [0; 4];
        while stream.read_exact(&mut heard).await.is_ok() {
            stream.write_all(&heard).await.unwrap();
        }
    });
    let headers = [("connection", "upgrade"), ("upgrade", "echo")];
    (axum::http::StatusCode::SWITCHING_PROTOCOLS, headers)
}

/// All that comes until the other side closes.
async fn rest(socket: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // One that is taken back ends too.
    let reading = socket.read_to_end(&mut all);
    let _ = tokio::time::timeout(DEADLINE, reading)
        .await
        .expect("an end");
    String::from_utf8_lossy(&all).into_owned()
}

/// An answer of which the length is known, on a connection that stays.
async fn one(socket: &mut TcpStream) -> String {
    let (mut all, mut part) = (Vec::new(), [0; 1_024]);
    while !all.ends_with(b"quick") {
        let read = tokio::time::timeout(DEADLINE, socket.read(&mut part)).await;
        let read = read.expect("an answer").unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&part[..read]);
    }
    String::from_utf8(all).unwrap()
}

/// Were this to fail, whoever begins and does not go on is waited for, for ever.
#[tokio::test]
async fn a_head_that_does_not_end_is_waited_for_so_long_however_it_drips() {
    let waits = Waits {
        head: SHORT,
        ..WAITS
    };
    let answering = Answering::start(9, waits);
    assert_eq!(answering.answer(b"").await, "");
    assert_eq!(answering.answer(b"GET /quick HTTP/1.1\r\nHost: ").await, "");
    // After a request that was answered, too; and while more of it comes.
    let mut socket = answering.sent(ASKED).await;
    one(&mut socket).await;
    let dripping = async {
        while socket.write_all(b"G").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    tokio::time::timeout(DEADLINE, dripping)
        .await
        .expect("an end");
}

#[tokio::test]
async fn between_two_requests_a_connection_may_rest_for_longer() {
    let waits = Waits {
        head: SHORT,
        idle: 10 * SHORT,
        ..WAITS
    };
    let answering = Answering::start(9, waits);
    let mut resting = answering.sent(ASKED).await;
    one(&mut resting).await;
    assert_eq!(
        answering.answer(b"GET ").await,
        "",
        "as long as a head may take"
    );
    resting.write_all(ASKED).await.unwrap();
    one(&mut resting).await;
    assert_eq!(rest(&mut resting).await, "", "and not for ever");
}

/// Were this to fail, memory would be held by whoever asks and does not read.
#[tokio::test]
async fn an_answer_of_which_nothing_is_taken_is_thrown_away() {
    struct Watched(Arc<Notify>);
    impl AsRef<[u8]> for Watched {
        fn as_ref(&self) -> &[u8] {
            static LARGE: [u8; 8 << 20] = [0; 8 << 20];
            &LARGE
        }
    }
    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let gone = Arc::new(Notify::new());
    let dropped = Arc::clone(&gone);
    let large = move || async move { Body::from(Bytes::from_owner(Watched(dropped))) };
    let waits = Waits {
        write: SHORT,
        ..WAITS
    };
    let answering = Answering::with(9, waits, Router::new().route("/large", get(large)));
    let unread = answering
        .sent(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    tokio::time::timeout(DEADLINE, gone.notified())
        .await
        .expect("its end");
    drop(unread);
}

/// Were this to fail, those who never ask would keep out those who do.
#[tokio::test]
async fn one_that_waits_for_a_request_gives_way_to_another() {
    let answering = Answering::start(3, WAITS);
    let mut oldest = answering.sent(b"GET ").await;
    let mut used = answering.sent(ASKED).await;
    one(&mut used).await;
    let mut stream = answering
        .sent(b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        .await;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    let mut new = answering.sent(ASKED).await;
    one(&mut new).await;
    assert_eq!(rest(&mut oldest).await, "");
    used.write_all(ASKED).await.unwrap();
    one(&mut used).await;
}

/// Were this to fail, whoever comes when all are busy would wait without a word, or those in hand would be cut off.
#[tokio::test]
async fn when_all_are_busy_one_more_is_told_to_come_back() {
    let answering = Answering::start(1, WAITS);
    let slow = b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut busy = answering.sent(slow).await;
    answering.asked.notified().await;
    let refused = answering.answer(ASKED).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nretry-after: 5\r\n"), "{refused}");
    answering.told.notify_one();
    assert!(rest(&mut busy).await.ends_with("slow"));
    let close = b"GET /quick HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(answering.answer(close).await.ends_with("quick"));
}

/// Were this to fail, readers of a quiet feed would be sent away again and again.
#[tokio::test]
async fn a_stream_may_be_quiet_for_as_long_as_it_likes() {
    let waits = Waits {
        head: SHORT,
        idle: SHORT,
        write: SHORT,
    };
    let answering = Answering::start(9, waits);
    let mut stream = answering
        .sent(b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        .await;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).await.unwrap();
        head.push(byte[0]);
    }
    // Two that came later were waited for in vain, one after the other.
    for _ in 0..2 {
        assert_eq!(answering.answer(b"").await, "");
    }
    stream.write_all(b"well").await.unwrap();
    let mut said = [0; 4];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"well");
}

#[test]
fn what_is_told_for_want_of_room_is_as_long_as_it_says() {
    let (head, body) = NO_ROOM.split_once("\r\n\r\n").unwrap();
    let length = head
        .lines()
        .find_map(|it| it.strip_prefix("content-length: "));
    assert_eq!(length.unwrap().parse::<usize>().unwrap(), body.len());
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["status"], 503);
}
