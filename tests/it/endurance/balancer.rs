//! One address before all instances, as a load balancer has it: whoever listens gets the connection.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Ends with its last handle.
pub(super) struct Balancer {
    pub(super) address: SocketAddr,
    behind: Arc<Mutex<Vec<Option<SocketAddr>>>>,
    _stop: DropGuard,
}

impl Balancer {
    pub(super) async fn start(places: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let behind = Arc::new(Mutex::new(vec![None; places]));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(accept(listener, Arc::clone(&behind), tasks.clone(), stop.clone()));
        Self { address, behind, _stop: stop.drop_guard() }
    }

    /// Who listens at a place, if anybody does.
    pub(super) fn set(&self, place: usize, address: Option<SocketAddr>) {
        self.behind.lock().unwrap()[place] = address;
    }
}

async fn accept(
    listener: TcpListener,
    behind: Arc<Mutex<Vec<Option<SocketAddr>>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let mut turn = 0;
    while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
        turn += 1;
        let mut listening: Vec<SocketAddr> = behind.lock().unwrap().iter().flatten().copied().collect();
        let places = listening.len().max(1);
        listening.rotate_left(turn % places);
        let stop = stop.clone();
        tasks.spawn(async move { stop.run_until_cancelled(pass_on(stream, listening)).await });
    }
}

/// To the first that takes it; a connection that breaks is its two ends' business.
async fn pass_on(mut from: TcpStream, listening: Vec<SocketAddr>) {
    for address in listening {
        if let Ok(mut to) = TcpStream::connect(address).await {
            let _ended = copy_bidirectional(&mut from, &mut to).await;
            return;
        }
    }
}
