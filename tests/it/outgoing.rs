//! What leaves the house goes to the configured places alone, ends in time, and brings no more back than there is room
//! for: each client over real connections, against a server that plays tricks, while a second one must not be called.

use countersign::chat::mattermost::{self, Mattermost};
use countersign::chat::slack::{self, Slack};
use countersign::cli::wiring::SystemClock;
use countersign::domain::chat::{Aside, ChannelId, ChatUser};
use countersign::domain::id::{ChatName, Conversation, ForgeName, Place, ProjectId};
use countersign::domain::wording::Prose;
use countersign::forge::github::{self, GitHub};
use countersign::forge::gitlab::{self, GitLab};
use countersign::net::http::{Http, Limits};
use countersign::ports::chat::Chat;
use countersign::ports::clock::Clock;
use countersign::ports::failure::Failure;
use countersign::ports::forge::{HookLog as _, Lookup as _, MissedDelivery, Talk as _};
use jiff::Timestamp;
use rstest::rstest;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What every call to a server comes to.
#[derive(Clone, Debug)]
enum Trick {
    /// Whatever is asked for is there, and empty.
    Nothing,
    /// It is somewhere else.
    Redirect(u16, String),
    /// A list goes on somewhere else.
    NextPage(String),
    /// Some kilobytes that become more than there is room for.
    Bomb,
    /// A body that never ends.
    Endless,
    /// Headers that never end.
    EndlessHead,
    /// No answer.
    Silence,
    /// An answer that stops in the middle.
    Stall,
}

impl Trick {
    /// Answers a request, of which this is the head.
    fn play(&self, head: &str, mut to: &TcpStream) -> io::Result<()> {
        let json = "content-type: application/json\r\n";
        match self {
            Self::Nothing => write!(to, "HTTP/1.1 200 OK\r\n{json}content-length: 11\r\n\r\n{{\"ok\":true}}"),
            Self::Redirect(status, url) => {
                write!(to, "HTTP/1.1 {status} Moved\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n")
            }
            Self::NextPage(url) => {
                // Unless it is this one.
                let is_last = head.starts_with("get //");
                let link = if is_last { String::new() } else { format!("link: <{url}>; rel=\"next\"\r\n") };
                write!(to, "HTTP/1.1 200 OK\r\n{json}{link}content-length: 2\r\n\r\n[]")
            }
            Self::Bomb => {
                let bomb = bomb();
                let length = bomb.len();
                write!(
                    to,
                    "HTTP/1.1 200 OK\r\n{json}content-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"
                )?;
                to.write_all(&bomb)
            }
            Self::Endless => {
                write!(to, "HTTP/1.1 200 OK\r\n{json}transfer-encoding: chunked\r\n\r\n")?;
                let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
                for_ever(to, &chunk)
            }
            Self::EndlessHead => {
                write!(to, "HTTP/1.1 200 OK\r\n")?;
                for_ever(to, &format!("x-more: {}\r\n", "x".repeat(1000)))
            }
            Self::Silence => Ok(()),
            Self::Stall => write!(to, "HTTP/1.1 200 OK\r\n{json}content-length: 1000\r\n\r\n{{"),
        }
    }
}

/// Ends with the error that the caller has hung up.
fn for_ever(mut to: &TcpStream, text: &str) -> io::Result<()> {
    loop {
        to.write_all(text.as_bytes())?;
    }
}

/// 16 MiB of zeros in gzip: one zero, and "258 times what was before" again and again, in thirteen bits each.
fn bomb() -> Vec<u8> {
    // The head of the file, then one block in the fixed code.
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let zero = [1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0];
    let again = [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0];
    let mut bits: Vec<u8> = zero.to_vec();
    bits.extend(again.repeat(16 * 1024 * 1024 / 258));
    bits.extend([0; 7]);
    bytes.extend(bits.chunks(8).map(|eight| eight.iter().rev().fold(0, |byte, bit| byte << 1 | bit)));
    bytes
}

/// Listens on a port of its own, and keeps who called.
struct Server {
    address: String,
    /// The head of each request; of a connection nothing but that it was made.
    called: Arc<Mutex<Vec<String>>>,
}

const CONNECTED: &str = "connected";

impl Server {
    fn start(trick: impl FnOnce(&str) -> Trick) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (trick, called) = (trick(&address), Arc::<Mutex<Vec<String>>>::default());
        let heard = Arc::clone(&called);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                heard.lock().unwrap().push(CONNECTED.to_owned());
                let (trick, heard) = (trick.clone(), Arc::clone(&heard));
                // It ends when the caller hangs up.
                thread::spawn(move || serve(&stream, &trick, &heard));
            }
        });
        Self { address, called }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.called.lock().unwrap().iter().filter(|head| *head != CONNECTED).cloned().collect()
    }

    fn was_left_alone(&self) {
        assert_eq!(*self.called.lock().unwrap(), Vec::<String>::new(), "somebody called elsewhere");
    }
}

fn serve(stream: &TcpStream, trick: &Trick, called: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length): (Vec<String>, u64) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            length = line.strip_prefix("content-length: ").map_or(length, |value| value.parse().unwrap());
            head.push(line);
        }
        io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
        let head = head.join("\n");
        called.lock().unwrap().push(head.clone());
        trick.play(&head, stream)?;
    }
}

#[derive(Clone, Copy, Debug)]
enum Who {
    GitLab,
    GitHub,
    Slack,
    Mattermost,
}

/// What came of calls that change nothing, the last of them a list where there are lists, and of one that does.
struct Came {
    reads: Vec<Result<(), Failure>>,
    write: Result<(), Failure>,
}

/// Nothing that has an end takes longer.
const PATIENT: Limits = Limits { connect: Duration::from_mins(1), total: Duration::from_mins(1) };
const SHOP: ProjectId = ProjectId(7);

impl Who {
    async fn calls(self, url: &str, limits: Limits) -> Came {
        match self {
            Self::GitLab => gitlabs(url, limits).await,
            Self::GitHub => githubs(url, limits).await,
            Self::Slack => {
                let aside = aside("slack", Some(format!("{url}/commands/T1/2/3")));
                chats(&slack(url, limits), &aside).await
            }
            Self::Mattermost => {
                let aside = aside("mattermost", Some(format!("{url}/hooks/commands/x")));
                chats(&mattermost(url, limits), &aside).await
            }
        }
    }
}

async fn gitlabs(url: &str, limits: Limits) -> Came {
    let settings = gitlab::Settings {
        name: ForgeName::new("gitlab"),
        url: url.parse().unwrap(),
        token: "glpat-1".into(),
        sudo_token: None,
    };
    let gitlab = GitLab::new(settings, Http::new(limits).unwrap(), clock()).unwrap();
    let at =
        Conversation { forge: ForgeName::new("gitlab"), project: SHOP, place: Place::Commit("9f1c".into()) };
    let reads = vec![gitlab.project(SHOP).await.map(drop), gitlab.waiting(SHOP).await.map(drop)];
    Came { reads, write: gitlab.post(&at, "text").await.map(drop) }
}

async fn githubs(url: &str, limits: Limits) -> Came {
    let twin = countersign::sim::github::GitHub::new(Arc::new(|| SystemClock.now()));
    let app = twin.register_app("countersign");
    let settings = github::Settings {
        name: ForgeName::new("github"),
        api_url: url.parse().unwrap(),
        app_id: app.id,
        private_key: app.private_key_pem.into(),
    };
    let github = GitHub::new(settings, &Http::new(limits).unwrap(), clock()).unwrap();
    let missed = MissedDelivery { id: "1".into(), attempt: 1 };
    let reads = vec![github.me().await.map(drop), github.failed(Timestamp::UNIX_EPOCH).await.map(drop)];
    Came { reads, write: github.redeliver(&missed).await }
}

async fn chats(chat: &dyn Chat, aside: &Aside) -> Came {
    let who = ChatUser { id: "U1".into(), team: None };
    let read = chat.presence(&who, &aside.channel).await.map(drop);
    Came { reads: vec![read], write: chat.whisper(aside, &Prose::default(), &[]).await }
}

fn slack(url: &str, limits: Limits) -> Slack {
    let settings = slack::Settings {
        name: ChatName::new("slack"),
        api_url: format!("{url}/api").parse().unwrap(),
        bot_token: "xoxb-1".into(),
        team_ids: vec!["T1".into()],
    };
    Slack::new(settings, &Http::new(limits).unwrap(), clock()).unwrap()
}

fn mattermost(url: &str, limits: Limits) -> Mattermost {
    let settings = mattermost::Settings {
        name: ChatName::new("mattermost"),
        url: url.parse().unwrap(),
        bot_token: "bot-token-1".into(),
        public_url: "https://countersign.example.com".parse().unwrap(),
    };
    Mattermost::new(settings, Http::new(limits).unwrap(), clock()).unwrap()
}

fn aside(chat: &str, url: Option<String>) -> Aside {
    let (chat, channel) = (ChatName::new(chat), ChannelId::new("C1"));
    Aside { chat, channel, user: "U1".into(), thread: None, url }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

#[rstest]
#[tokio::test]
async fn a_redirect_leads_nobody_elsewhere(
    #[values(Who::GitLab, Who::GitHub, Who::Slack, Who::Mattermost)] who: Who,
    #[values(301, 302, 303, 307, 308)] status: u16,
) {
    let elsewhere = Server::start(|_| Trick::Nothing);
    let home = Server::start(|_| Trick::Redirect(status, format!("{}/api", elsewhere.url())));
    let Came { reads, write } = who.calls(&home.url(), PATIENT).await;
    assert!(reads.iter().chain([&write]).all(Result::is_err), "{reads:?} {write:?}");
    assert!(home.requests().len() >= 2);
    elsewhere.was_left_alone();
}

#[rstest]
#[tokio::test]
async fn a_list_that_goes_on_elsewhere_is_not_followed(
    #[values(Who::GitLab, Who::GitHub)] who: Who,
    #[values("http://ELSEWHERE/x", "http://HOME@ELSEWHERE/x", "//ELSEWHERE/x", "http://HOME//ELSEWHERE/x")]
    next: &str,
) {
    let elsewhere = Server::start(|_| Trick::Nothing);
    let home = Server::start(|home| {
        Trick::NextPage(next.replace("HOME", home).replace("ELSEWHERE", &elsewhere.address))
    });
    let Came { reads, .. } = who.calls(&home.url(), PATIENT).await;
    if next.starts_with("http://HOME//") {
        // A path at home, whatever it looks like.
        assert!(home.requests().iter().any(|head| head.starts_with("get //")), "{reads:?}");
    } else {
        assert!(matches!(reads.last(), Some(Err(Failure::Unreadable(_)))), "{reads:?}");
    }
    elsewhere.was_left_alone();
}

#[rstest]
#[tokio::test]
async fn an_answer_that_is_larger_than_there_is_room_for_is_not_read(
    #[values(Who::GitLab, Who::GitHub, Who::Slack, Who::Mattermost)] who: Who,
    #[values(Trick::Bomb, Trick::Endless)] trick: Trick,
) {
    let home = Server::start(|_| trick);
    let Came { reads, write } = who.calls(&home.url(), PATIENT).await;
    let is_too_large = |read: &Result<(), Failure>| matches!(read, Err(Failure::Unreadable(_)));
    assert!(reads.iter().all(is_too_large), "{reads:?}");
    assert!(matches!(write, Err(Failure::UnknownOutcome { .. })), "{write:?}");
}

#[rstest]
#[tokio::test]
async fn headers_without_end_are_no_answer(
    #[values(Who::GitLab, Who::GitHub, Who::Slack, Who::Mattermost)] who: Who,
) {
    let home = Server::start(|_| Trick::EndlessHead);
    had_no_answer(&who.calls(&home.url(), PATIENT).await);
}

#[rstest]
#[tokio::test]
async fn nobody_is_waited_for_longer_than_the_limit(
    #[values(Who::GitLab, Who::GitHub, Who::Slack, Who::Mattermost)] who: Who,
    #[values(Trick::Silence, Trick::Stall)] trick: Trick,
) {
    let home = Server::start(|_| trick);
    let limits = Limits { total: Duration::from_millis(250), ..PATIENT };
    had_no_answer(&who.calls(&home.url(), limits).await);
}

fn had_no_answer(came: &Came) {
    let Came { reads, write } = came;
    let is_unavailable = |read: &Result<(), Failure>| matches!(read, Err(Failure::Unavailable { .. }));
    assert!(reads.iter().all(is_unavailable), "{reads:?}");
    assert!(matches!(write, Err(Failure::UnknownOutcome { .. })), "{write:?}");
}

/// Such an address comes with what people do. The adapters' intake drops it; the clients wouldn't call it either.
#[rstest]
#[tokio::test]
async fn an_answer_is_never_sent_elsewhere_and_takes_no_token_along(
    #[values(Who::Slack, Who::Mattermost)] who: Who,
) {
    let elsewhere = Server::start(|_| Trick::Nothing);
    let home = Server::start(|_| Trick::Nothing);
    let whisper = async |url: String| match who {
        Who::Slack => {
            let to = aside("slack", Some(url));
            slack(&home.url(), PATIENT).whisper(&to, &Prose::default(), &[]).await
        }
        Who::GitLab | Who::GitHub | Who::Mattermost => {
            let to = aside("mattermost", Some(url));
            mattermost(&home.url(), PATIENT).whisper(&to, &Prose::default(), &[]).await
        }
    };
    // Whatever came of it: not there.
    let _ = whisper(format!("{}/hooks/commands/x", elsewhere.url())).await;
    let _ = whisper(format!("http://{}@{}/hooks/commands/x", home.address, elsewhere.address)).await;
    elsewhere.was_left_alone();

    whisper(format!("{}/hooks/commands/secret", home.url())).await.unwrap();
    let answered = home.requests().pop().unwrap();
    assert!(answered.starts_with("post /hooks/commands/secret "), "{answered}");
    assert!(!answered.contains("authorization"), "{answered}");
}
