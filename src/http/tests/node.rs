//! Nodes of a cluster in one process, each with a log, feeds and a socket of its own. Which of them answers for an account, a test says.

use crate::api::auth::secret::Secret;
use crate::api::auth::{self, Auth, jwt};
use crate::api::node_status::Nodes;
use crate::api::placement::{Lease, Permit, Placement, Route, Server};
use crate::api::state::AppState;
use crate::api::{self, Shutdown};
use crate::http::{Options, router};
use crate::pipeline::due::Due;
use crate::pipeline::{self, Pipeline};
use crate::{clock, log, mastodon};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use slackwater_engine::feed::store::{self, Store};
use slackwater_engine::record::Position;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(super) const TOKEN: &str = "service-token-0123";
pub(super) const SECRET: &str = "cluster-secret-0123456789";
const SIGNING: &str = "0123456789abcdef0123456789abcdef";
const DAY: Duration = Duration::from_secs(86_400);

/// A node that listens.
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    pub(super) seats: Arc<Seats>,
    pub(super) state: AppState,
    runtime: Option<Runtime>,
    stop: Arc<AtomicBool>,
    pipeline: Option<std::thread::JoinHandle<()>>,
    _folder: TempDir,
    pub(super) shutdown: Shutdown,
}

/// What a node believes of who answers for whom.
#[derive(Debug)]
pub(super) struct Seats {
    secret: Secret,
    pub(super) routes: Mutex<HashMap<String, Route>>,
    pub(super) away: Mutex<Vec<String>>,
    /// What comes of a claim.
    pub(super) claims: Mutex<Claim>,
    /// Whether it stands by for all accounts.
    pub(super) stands_by: AtomicBool,
    pub(super) lease: Arc<TestLease>,
    /// Where the next account that is looked for goes, as soon as it was found here.
    pub(super) moves_to: Mutex<Option<Server>>,
    /// The nodes that are gone.
    pub(super) gone: watch::Sender<Vec<String>>,
}

/// What comes of a claim.
#[derive(Debug, Default)]
pub(super) enum Claim {
    /// Nothing.
    #[default]
    Fails,
    /// The account is served here.
    Serves,
    /// This node stands by for all accounts.
    StandsBy,
    /// Meanwhile another node serves the account, and where it goes is what it was.
    ServedBy(Arc<Seats>),
}

#[derive(Debug, Default)]
pub(super) struct TestLease {
    pub(super) has_lapsed: AtomicBool,
    /// Whether it has ended whenever it is looked at a second time.
    pub(super) lapses_amid: AtomicBool,
    pub(super) ended: CancellationToken,
}

impl Lease for TestLease {
    fn is_good(&self) -> bool {
        let any = [&self.has_lapsed, &self.lapses_amid];
        !any.iter().any(|it| it.load(Ordering::Relaxed))
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.ended.cancelled())
    }
}

impl Placement for Seats {
    fn route(&self, account: &str) -> Route {
        let route = self.routes.lock().get(account).cloned();
        route.unwrap_or(Route::Nowhere)
    }

    fn permit(&self, account: Option<&str>) -> Option<Permit> {
        let stands_by = self.stands_by.load(Ordering::Relaxed);
        let may = account.is_none_or(|it| stands_by || self.route(it) == Route::Here);
        let may = may && !self.lease.has_lapsed.load(Ordering::Relaxed);
        if let Some(account) = account.filter(|_| may)
            && let Some(server) = self.moves_to.lock().take()
        {
            let route = Route::There(vec![server]);
            self.routes.lock().insert(account.to_owned(), route);
            return Some(Arc::new(TestLease {
                has_lapsed: true.into(),
                ..TestLease::default()
            }));
        }
        may.then(|| Arc::clone(&self.lease) as Permit)
    }

    fn claim<'a>(&'a self, account: &'a str, _: &'a [Server]) -> BoxFuture<'a, ()> {
        let serves = |seats: &Seats| {
            let mut routes = seats.routes.lock();
            routes.insert(account.to_owned(), Route::Here);
        };
        match &*self.claims.lock() {
            Claim::Fails => {}
            Claim::Serves => serves(self),
            Claim::StandsBy => self.stands_by.store(true, Ordering::Relaxed),
            Claim::ServedBy(node) => serves(node),
        }
        Box::pin(std::future::ready(()))
    }

    fn mark_away(&self, node: &str) {
        self.away.lock().push(node.to_owned());
    }

    fn in_force(&self, _: Vec<(String, Position)>) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn works(&self, _: &str) -> bool {
        true
    }

    fn run(&self) -> String {
        String::new()
    }

    fn nodes(&self) -> Nodes {
        Nodes::default()
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn gone<'a>(&'a self, node: &'a str) -> BoxFuture<'a, ()> {
        let mut gone = self.gone.subscribe();
        Box::pin(async move {
            let _ = gone.wait_for(|gone| gone.iter().any(|it| it == node)).await;
        })
    }

    fn secret(&self) -> &Secret {
        &self.secret
    }
}

fn jwt_options() -> jwt::Options {
    jwt::Options {
        algorithm: jwt::Algorithm::Hs256,
        key: Secret::new(SIGNING),
        issuer: None,
        audience: None,
    }
}

/// The token of an account's.
pub(super) fn user_token(account: &str) -> String {
    let (now, key) = (clock::now(), Secret::new(SIGNING));
    jwt::mint(&jwt_options(), &key, account, "read", now, DAY).unwrap()
}

/// A pipeline over a log of its own.
fn pipeline(folder: &TempDir, runtime: &Runtime) -> (Pipeline, log::LogWriter) {
    let log = log::Options::BuiltIn(log::built_in::Options::at(folder.path().join("log")));
    let (source, log_writer) = log::open(&log, &[], &[]).unwrap();
    let store = Store::open(store::Options {
        path: folder.path().join("feeds"),
        length: 800,
        boost_repeat_after: DAY,
        unflushed_entries_max: 100_000,
        unflushed_bytes_max: 64 << 20,
        cache_bytes: 8 << 20,
    });
    let options = pipeline::Options {
        engine: slackwater_engine::engine::Options::default(),
        due: Due {
            replay_max: DAY,
            rows_every: DAY,
            all_every: DAY,
        },
    };
    let (runtime, store) = (runtime.handle().clone(), Arc::new(store.unwrap()));
    let pipeline = Pipeline::new(source, log_writer.clone(), runtime, store, options);
    (pipeline.unwrap(), log_writer)
}

impl Node {
    /// A node with nothing in it, which answers for nobody.
    pub(super) async fn start(name: &'static str) -> Node {
        Node::with(name, api::Options::default()).await
    }

    pub(super) async fn with(name: &'static str, options: api::Options) -> Node {
        Node::begin(name, options, SECRET).await
    }

    /// A node that shares its secret with no other.
    pub(super) async fn of_another_cluster(name: &'static str) -> Node {
        Node::begin(name, api::Options::default(), "a-secret-of-another-cluster").await
    }

    async fn begin(name: &'static str, options: api::Options, secret: &str) -> Node {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let seats = Arc::new(Seats {
            secret: Secret::new(secret),
            routes: Mutex::default(),
            away: Mutex::default(),
            claims: Mutex::default(),
            stands_by: AtomicBool::default(),
            lease: Arc::default(),
            moves_to: Mutex::default(),
            gone: watch::Sender::default(),
        });
        let (pipeline, log_writer) = {
            let _in = runtime.enter();
            pipeline(&folder, &runtime)
        };
        let mut state = pipeline.state();
        state.placement = Some(Arc::clone(&seats) as Arc<dyn Placement>);
        let auth = Auth::new(
            auth::Options {
                service_tokens: vec![Secret::new(TOKEN)],
                jwt: Some(jwt_options()),
                ..auth::Options::default()
            },
            None,
        );
        let options = Options {
            api: options,
            mastodon: mastodon::Options::default(),
        };
        let shutdown = Shutdown::default();
        let routes = router(
            state.clone(),
            log_writer,
            auth.unwrap(),
            options,
            shutdown.clone(),
            None,
        );
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = {
            let _in = runtime.enter();
            tokio::net::TcpListener::from_std(listener).unwrap()
        };
        let address = listener.local_addr().unwrap();
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        runtime.spawn(async move { axum::serve(listener, service).await });
        let stop = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&stop);
        let running = std::thread::spawn(move || pipeline.run(stops).unwrap());
        let mut built = state.view.built.clone();
        let open = built.wait_for(|built| built.relations_in_force).await;
        open.unwrap();
        Node {
            name,
            address,
            seats,
            state,
            runtime: Some(runtime),
            stop,
            pipeline: Some(running),
            _folder: folder,
            shutdown,
        }
    }

    /// This node as others know it.
    pub(super) fn server(&self) -> Server {
        Server {
            node: self.name.into(),
            address: format!("http://{}", self.address).into(),
        }
    }

    pub(super) fn believes(&self, account: &str, route: Route) {
        self.seats.routes.lock().insert(account.to_owned(), route);
    }

    /// Ends all that it does at once, as a kill would: its connections break.
    pub(super) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(pipeline) = self.pipeline.take() {
            let _ = pipeline.join();
        }
        self.kill();
    }
}
