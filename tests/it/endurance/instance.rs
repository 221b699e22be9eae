//! One `countersign serve`: inside this process with a clock that is moved by hand, or the real program.

use countersign::cli::wiring;
use countersign::ports::clock::Clock;
use countersign::store::postgres::LeaseTime;
use countersign::web;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Ends an instance where it stands, from any thread.
#[derive(Clone)]
pub(super) enum Killer {
    /// Every task is dropped at the point where it waits.
    Inside(CancellationToken),
    /// SIGKILL.
    Program(Arc<Mutex<Child>>),
}

impl Killer {
    pub(super) fn kill(&self) {
        match self {
            Self::Inside(kill) => kill.cancel(),
            Self::Program(child) => {
                let _gone = child.lock().unwrap().kill();
            }
        }
    }
}

pub(super) enum Instance {
    Inside(Inside),
    Program(Program),
}

/// The program. It ends with this handle.
pub(super) struct Program(Arc<Mutex<Child>>);

impl Drop for Program {
    fn drop(&mut self) {
        let mut child = self.0.lock().unwrap();
        let _gone = child.kill();
        let _status = child.wait();
    }
}

impl Instance {
    pub(super) fn killer(&self) -> Killer {
        match self {
            Self::Inside(inside) => Killer::Inside(inside.kill.clone()),
            Self::Program(program) => Killer::Program(Arc::clone(&program.0)),
        }
    }

    /// Lets the worker run until nothing is due; how many jobs ran, 0 if it was killed meanwhile. The real program
    /// works by itself.
    pub(super) async fn settle(&self) -> usize {
        let Self::Inside(inside) = self else { return 0 };
        let (reply, answer) = oneshot::channel();
        if inside.orders.send(Order::Settle(reply)).is_err() {
            return 0;
        }
        answer.await.unwrap_or(0)
    }

    /// Waits for one that was killed.
    pub(super) fn bury(self) {
        match self {
            Self::Inside(mut inside) => inside.join(),
            Self::Program(program) => drop(program),
        }
    }

    /// Ends in order.
    pub(super) async fn stop(self) -> Result<(), String> {
        match self {
            Self::Inside(mut inside) => {
                let (reply, stopped) = oneshot::channel();
                let _sent = inside.orders.send(Order::Stop(reply));
                let _ended = stopped.await;
                inside.join();
                Ok(())
            }
            Self::Program(program) => {
                let child = Arc::clone(&program.0);
                // Not on this thread: while it finishes, it may still have something to ask the forge.
                let status = tokio::task::spawn_blocking(move || terminate(&child)).await.unwrap();
                let status = status.map_err(|error| error.to_string())?;
                if status.success() { Ok(()) } else { Err(format!("SIGTERM ended it with {status}")) }
            }
        }
    }
}

fn terminate(child: &Mutex<Child>) -> std::io::Result<ExitStatus> {
    let mut child = child.lock().unwrap();
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
    child.wait()
}

enum Order {
    Settle(oneshot::Sender<usize>),
    Stop(oneshot::Sender<()>),
}

/// A server on a thread of its own. When it is killed, its runtime goes, and with it every task, connection and lock.
pub(super) struct Inside {
    orders: mpsc::UnboundedSender<Order>,
    kill: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Inside {
    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.kill.cancel();
        self.join();
    }
}

type Ready = oneshot::Sender<Result<SocketAddr, String>>;

/// Starts one inside this process.
pub(super) async fn inside(text: String, clock: Arc<dyn Clock>) -> Result<(Instance, SocketAddr), String> {
    let (orders, taken) = mpsc::unbounded_channel();
    let (ready, started) = oneshot::channel();
    let kill = CancellationToken::new();
    let killed = kill.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(killed.run_until_cancelled(serve(&text, clock, ready, taken)));
    });
    let instance = Inside { orders, kill, thread: Some(thread) };
    let address = started.await.map_err(|_| "it ended at its start".to_owned())??;
    Ok((Instance::Inside(instance), address))
}

async fn serve(text: &str, clock: Arc<dyn Clock>, ready: Ready, mut orders: mpsc::UnboundedReceiver<Order>) {
    let config = countersign::config::parse(text, Path::new("endurance.toml"), &|_| None).unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let built = match wiring::build_by(&config, clock, &tasks, LeaseTime::Caller).await {
        Ok(built) => built,
        Err(error) => {
            let _gone = ready.send(Err(error.to_string()));
            return;
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(web::serve(listener, built.router.clone(), stop.clone(), tasks.clone()));
    if let Err(error) = built.app.start_polling().await {
        let _gone = ready.send(Err(error.to_string()));
        return;
    }
    let _gone = ready.send(Ok(address));
    while let Some(order) = orders.recv().await {
        match order {
            Order::Settle(reply) => {
                let _gone = reply.send(built.worker.run_until_idle().await);
            }
            Order::Stop(reply) => {
                stop.cancel();
                built.close().await;
                tasks.close();
                tasks.wait().await;
                let _gone = reply.send(());
                return;
            }
        }
    }
}

/// Starts the real program. It dies with the thread that started it, whatever happens to that one.
pub(super) async fn program(config: &Path) -> Result<(Instance, SocketAddr), String> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(assert_cmd::cargo::cargo_bin("countersign"));
    command.args(["serve", "--config"]).arg(config).env("RUST_LOG", "countersign=info");
    command.stderr(Stdio::piped()).stdout(Stdio::null()).stdin(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("setpriv: {error}"))?;
    let log = BufReader::new(child.stderr.take().unwrap());
    let (ready, started) = oneshot::channel();
    let beside = config.with_extension("log");
    std::thread::spawn(move || keep(log, &beside, ready));
    let program = Program(Arc::new(Mutex::new(child)));
    let address = started.await.map_err(|_| "it ended at its start".to_owned())?;
    Ok((Instance::Program(program), address))
}

/// Keeps the log beside the configuration, and tells the address that it speaks of.
fn keep(log: impl BufRead, beside: &Path, ready: oneshot::Sender<SocketAddr>) {
    use std::io::Write as _;
    let mut ready = Some(ready);
    let mut file = std::fs::File::options().create(true).append(true).open(beside).ok();
    for line in log.lines().map_while(Result::ok) {
        if let Some(file) = &mut file {
            let _full = writeln!(file, "{line}");
        }
        if let Some((_, address)) = line.split_once("listening on http://")
            && let (Some(ready), Ok(address)) = (ready.take(), address.trim().parse())
        {
            let _gone = ready.send(address);
        }
    }
}
