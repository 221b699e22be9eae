//! What the targets share: right signatures, and what everything that is heard must keep to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::chat::mattermost::{MattermostInbound, Settings};
use countersign::domain::event::Event;
use countersign::domain::id::ChatName;
use countersign::ports::inbound::{Inbound, RawDelivery, Received, Rejected, Verified};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256, Sha512};

/// The second at which everything comes.
pub const NOW: i64 = 1_795_248_000;
/// No delivery's id is longer, in bytes.
pub const LONGEST_ID: usize = 255;
/// Where the Mattermost is.
pub const MATTERMOST: &str = "https://chat.example/sub";
const BOT_TOKEN: &str = "bot-token";
/// No key of a queue is longer, in bytes.
const LONGEST_KEY: usize = 512;

/// Headers as they come: names in lower case, doubled ones kept.
pub type Headers = Vec<(String, Vec<u8>)>;

/// HMAC-SHA256 of the joined parts.
pub fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// One header.
pub fn header(name: &str, value: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (name.to_owned(), value.into())
}

/// Hands a delivery over.
pub fn receive(inbound: &dyn Inbound, headers: &Headers, body: &[u8]) -> Result<Received, Rejected> {
    let now = Timestamp::from_second(NOW).expect("a second of ours");
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    inbound.receive(RawDelivery { headers: &headers, body }, now)
}

/// Whether nothing showed whose it is.
pub fn is_refused(outcome: &Result<Received, Rejected>) -> bool {
    matches!(outcome, Err(Rejected::Unauthenticated(_)))
}

/// The input's first line and what stands behind it.
pub fn first_line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

/// A Mattermost whose commands come with the token `sesame`.
pub fn mattermost() -> MattermostInbound {
    let settings = Settings {
        name: ChatName::new("mattermost"),
        url: MATTERMOST.parse().expect("an address"),
        bot_token: BOT_TOKEN.into(),
        public_url: "https://countersign.example".parse().expect("an address"),
    };
    MattermostInbound::new(&settings, vec!["sesame".into()]).expect("a token")
}

/// What our own buttons (`button/1\n`) and forms (`form/1\n`) on that Mattermost carry, made once more.
pub fn seal(label: &str, content: &[u8]) -> String {
    let key =
        Sha512::new().chain_update(b"countersign/mattermost/seal/1\n").chain_update(BOT_TOKEN).finalize();
    let mac = mac(&key, &[label.as_bytes(), content]);
    URL_SAFE_NO_PAD.encode([&mac[..], content].concat())
}

/// Whatever is stored has an id that fits, comes from where it came, queues under a key that every database takes,
/// and reads as itself once it was written.
pub fn keeps_its_promises(verified: &Verified, platform: &str) {
    let Verified { id, events, form } = verified;
    assert!((1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()), "{id:?}");
    assert_eq!(events.is_empty(), form.is_some(), "either it says something or it asks for a form");
    for event in events {
        assert_eq!(event.platform().as_str(), platform);
        let key = event.key();
        assert!(key.len() <= LONGEST_KEY && !key.contains(char::is_control), "{key:?}");
        let text = serde_json::to_string(event).expect("an event can be written");
        assert_eq!(serde_json::from_str::<Event>(&text).ok().as_ref(), Some(event), "{text}");
    }
}
