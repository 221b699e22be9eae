//! The web room over real TCP.

mod deliveries;
mod floods;
mod limits;
mod refusals;
mod siege;

use super::{BodyLimits, Limits, PIECE, Pulse, Sources, StrangerLimits, Web, serve_within};
use crate::app::App;
use crate::app::figures::Figures;
use crate::domain::id::ForgeName;
use crate::domain::policy::Policies;
use crate::forge::gitlab::webhook::GitLabInbound;
use crate::ports::clock::Clock;
use crate::ports::inbound::{Inbound, RawDelivery, Received, Rejected};
use crate::ports::store::{QueueDepth, Store as _};
use crate::store::sqlite::{Access, SqliteStore, Surroundings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const NOW: &str = "2026-11-21T08:00:00Z";
const KEY: &[u8] = b"an-example-key-of-thirty-two-byte";
const TOKEN: &str = "sesame";

/// Stands still unless it is moved.
#[derive(Default)]
struct Standing {
    moved: AtomicI64,
}

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        later(self.moved.load(Ordering::Relaxed))
    }

    fn new_id(&self) -> String {
        "id".to_owned()
    }
}

/// A source with a defect.
struct Defect;

impl Inbound for Defect {
    fn receive(&self, _: RawDelivery<'_>, _: Timestamp) -> Result<Received, Rejected> {
        panic!("a defect with the secret {TOKEN}")
    }
}

/// A source whose deliveries take until they are let go.
#[derive(Default)]
struct Held {
    came: Notify,
    free: Mutex<bool>,
    turned: Condvar,
}

impl Held {
    fn let_go(&self) {
        *self.free.lock().unwrap() = true;
        self.turned.notify_all();
    }
}

impl Inbound for Held {
    fn receive(&self, _: RawDelivery<'_>, _: Timestamp) -> Result<Received, Rejected> {
        self.came.notify_one();
        tokio::task::block_in_place(|| {
            let _free = self.turned.wait_while(self.free.lock().unwrap(), |free| !*free).unwrap();
        });
        Ok(Received::NotOurs("held"))
    }
}

/// A source that answers whoever asks, unverified.
struct Probed;

impl Inbound for Probed {
    fn receive(&self, _: RawDelivery<'_>, _: Timestamp) -> Result<Received, Rejected> {
        Ok(Received::Told(String::new()))
    }
}

#[derive(Default)]
struct Bounds {
    bodies: BodyLimits,
    connections: Limits,
    strangers: StrangerLimits,
    client_address: Option<String>,
}

/// The server on a port of its own.
struct House {
    address: SocketAddr,
    clock: Arc<Standing>,
    held: Arc<Held>,
    store: Arc<SqliteStore>,
    pulse: Arc<Pulse>,
    wake: Arc<Notify>,
    stop: CancellationToken,
    tasks: TaskTracker,
    _folder: TempDir,
}

async fn house() -> House {
    house_with(BodyLimits::default(), Limits::default()).await
}

async fn house_with(bodies: BodyLimits, connections: Limits) -> House {
    house_within(Bounds { bodies, connections, ..Bounds::default() }).await
}

async fn house_within(bounds: Bounds) -> House {
    let held = Arc::new(Held::default());
    let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
    let standing = Arc::new(Standing::default());
    let clock = Arc::clone(&standing) as Arc<dyn Clock>;
    let url = format!("sqlite:{}", folder.path().join("web.db").display());
    let around = Surroundings::new(Arc::clone(&clock), TaskTracker::new());
    let store = Arc::new(SqliteStore::open(&url, Access::Serve, around).await.unwrap());
    let app = App {
        store: Arc::clone(&store) as _,
        clock,
        policies: Arc::new(Policies::default()),
        desks: Arc::default(),
        chats: Arc::default(),
        people: Arc::default(),
        cause: None,
        figures: Arc::new(Figures::new(sources(&held).into_keys(), NOW.parse().unwrap())),
    };
    let (wake, pulse) = (Arc::new(Notify::new()), Arc::new(Pulse::default()));
    let web = Web::new(app, sources(&held), Arc::clone(&wake), Arc::clone(&pulse));
    let web = web
        .with_limits(bounds.bodies)
        .with_stranger_limits(bounds.strangers)
        .behind_proxy(bounds.client_address);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    tasks.spawn(serve_within(bounds.connections, listener, web.router(), stop.clone(), tasks.clone()));
    tasks.close();
    House { address, clock: standing, held, store, pulse, wake, stop, tasks, _folder: folder }
}

fn sources(held: &Arc<Held>) -> Sources {
    let signing = format!("whsec_{}", STANDARD.encode(KEY)).into();
    let gitlab = GitLabInbound::new(ForgeName::new("gitlab"), &[signing], vec![TOKEN.into()]).unwrap();
    Sources::from([
        ("gitlab".to_owned(), Arc::new(gitlab) as _),
        ("defect".to_owned(), Arc::new(Defect) as _),
        ("probed".to_owned(), Arc::new(Probed) as _),
        ("held".to_owned(), Arc::clone(held) as _),
    ])
}

impl House {
    /// Sends bytes on a connection of their own and reads until the server closes it.
    async fn send(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        read(stream).await
    }

    /// The same from another address of this machine.
    async fn send_from(&self, last: u8, request: &Request) -> Answer {
        let mut stream = self.connect_from(last).await;
        stream.write_all(&request.bytes()).await.unwrap();
        read(stream).await
    }

    async fn connect_from(&self, last: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        // Small, so that answers that nobody reads soon fill it.
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await
    }

    async fn depth(&self) -> QueueDepth {
        self.store.depth(NOW.parse().unwrap()).await.unwrap()
    }

    /// Nothing came of what was sent before, and a right delivery still does.
    async fn is_unharmed(&self) {
        assert_eq!(self.depth().await, QueueDepth::default());
        let answer = self.send(&good().bytes()).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, r#"{"status":"stored"}"#));
        assert_eq!(self.depth().await.due, 1);
    }
}

#[derive(Debug)]
struct Answer {
    /// 0 when there was none.
    status: u16,
    head: String,
    body: String,
}

async fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A request in parts, to be spoilt.
#[derive(Clone)]
struct Request {
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
    /// Told instead of the body's length.
    announced: Option<usize>,
}

impl Request {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n", self.method, self.path)
            .into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        let length = self.announced.unwrap_or(self.body.len());
        bytes.extend(format!("content-length: {length}\r\n\r\n").into_bytes());
        bytes.extend(&self.body);
        bytes
    }

    fn with(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    fn without_token(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != "x-gitlab-token");
        self
    }

    fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    fn to(mut self, method: &'static str, path: &'static str) -> Self {
        (self.method, self.path) = (method, path);
        self
    }

    fn announcing(mut self, length: usize) -> Self {
        self.announced = Some(length);
        self
    }

    /// With a signature of this time over this body, instead of the token.
    fn signed(self, time: Timestamp, body: &[u8]) -> Self {
        let time = time.as_second().to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
        mac.update(&[b"m1.", time.as_bytes(), b".", body].concat());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.without_token()
            .with("webhook-id", "m1")
            .with("webhook-timestamp", time)
            .with("webhook-signature", signature)
    }
}

fn note(text: &str) -> String {
    serde_json::json!({
        "object_kind": "note", "event_type": "note", "project_id": 30,
        "user": {"id": 5, "username": "alice"}, "project": {"id": 30, "path_with_namespace": "acme/shop"},
        "object_attributes": {
            "id": 99, "note": text, "noteable_type": "MergeRequest", "author_id": 5, "action": "create",
            "created_at": "2026-11-21 08:00:00 UTC", "discussion_id": "d1", "internal": false, "system": false,
        },
        "merge_request": {"id": 7000, "iid": 7},
    })
    .to_string()
}

fn approve() -> String {
    note("@countersign approve production")
}

fn good() -> Request {
    Request {
        method: "POST",
        path: "/hooks/gitlab",
        headers: vec![
            ("content-type", b"application/json".to_vec()),
            ("x-gitlab-event", b"Note Hook".to_vec()),
            ("x-gitlab-token", TOKEN.into()),
        ],
        body: approve().into(),
        announced: None,
    }
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_secs(seconds)
}
