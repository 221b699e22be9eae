//! A whole story in the middle of a siege: the true server with its usual limits, the forge's hooks from one address
//! and hostile clients from another.

use crate::story::gitlab::World;
use crate::story::stage::{Stage as _, Switches};
use crate::story::world::ONE_MAINTAINER;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Four times as many as the server has places for.
const IDLE: usize = 2000;

/// From an address that isn't the forge's. Any number of clients of this machine have one.
async fn connect(to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 9], 0))).unwrap();
    socket.connect(to).await.unwrap()
}

fn head(rest: &str) -> Vec<u8> {
    format!("POST /hooks/gitlab HTTP/1.1\r\nhost: x\r\n{rest}").into_bytes()
}

/// What clients send who have no secret, each again and again on new connections.
fn assaults() -> [Vec<u8>; 6] {
    let unsigned = head("x-gitlab-event: Note Hook\r\nx-gitlab-token: guess\r\ncontent-length: 2\r\n\r\n{}");
    [
        unsigned.repeat(20),
        head("content-length: 9000000\r\n\r\n").into_iter().chain(vec![b' '; 100_000]).collect(),
        head("content-length: 99999999999\r\n\r\n"),
        head("transfer-encoding: chunked\r\n\r\n1\r\na\r\n").repeat(20),
        head(&"x: y\r\n".repeat(5000)),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
    ]
}

struct Siege {
    idle: Vec<TcpStream>,
    halt: CancellationToken,
    assault: TaskTracker,
}

impl Siege {
    async fn lay(to: SocketAddr) -> Self {
        let (halt, assault, mut idle) = (CancellationToken::new(), TaskTracker::new(), Vec::new());
        for _ in 0..IDLE {
            idle.push(connect(to).await);
        }
        for bytes in assaults() {
            assault.spawn(halt.clone().run_until_cancelled_owned(async move {
                loop {
                    let mut stream = connect(to).await;
                    let _ = stream.write_all(&bytes).await;
                    let _ = stream.read(&mut [0; 256]).await;
                }
            }));
        }
        Self { idle, halt, assault }
    }

    async fn lift(self) {
        self.halt.cancel();
        self.assault.close();
        self.assault.wait().await;
        drop(self.idle);
    }
}

#[tokio::test]
async fn a_siege_keeps_nobody_from_deploying() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    let siege = Siege::lay(world.address).await;
    world
        .tell(
            r#"dana deploys to production
            the card says "waiting for approval"
            mallory writes "@countersign approve production"
            countersign answers "its policy doesn't name you"
            alice writes "@countersign approve production"
            countersign answers "was the last one needed"
            production was started once"#,
        )
        .await;
    let answers = world.stage.hook_answers();
    assert!(answers.len() > 4, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer, Some(200 | 202))), "{answers:?}");
    siege.lift().await;
    world.finish().await;
}
