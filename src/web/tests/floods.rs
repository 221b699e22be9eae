//! Requests that prove nothing, in numbers, beside deliveries that can be verified.

use super::*;
use jiff::SignedDuration;
use rstest::rstest;

/// All of a test's addresses are this machine's own, so they have to be limited like others. Nobody gets a turn.
const STRICT: StrangerLimits = StrangerLimits {
    burst: 5,
    every: SignedDuration::from_secs(3600),
    trust: SignedDuration::from_hours(24),
    sources: 64,
    inside: true,
    turn: Duration::from_hours(1),
    patience: Duration::ZERO,
};

const MALLORY: u8 = 9;
const FORGE: u8 = 7;

async fn strict() -> House {
    house_within(Bounds { strangers: STRICT, ..Bounds::default() }).await
}

async fn statuses(house: &House, from: u8, request: &Request, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(house.send_from(from, request).await.status);
    }
    statuses
}

fn delivery(number: usize) -> Request {
    good().with("idempotency-key", format!("delivery-{number}"))
}

#[rstest]
#[case::no_proof(good().without_token(), 401)]
#[case::a_wrong_signature(good().signed(now(), b"{}"), 401)]
#[case::an_unknown_name(good().to("POST", "/hooks/other"), 404)]
#[case::a_large_body(good().announcing(usize::MAX / 4).body(""), 413)]
#[case::a_probe(good().to("POST", "/hooks/probed"), 200)]
#[case::a_defect(good().to("POST", "/hooks/defect"), 500)]
#[tokio::test]
async fn what_proves_nothing_is_limited_by_its_address(#[case] request: Request, #[case] status: u16) {
    let house = strict().await;
    assert_eq!(statuses(&house, MALLORY, &request, 5).await, [status; 5]);
    let answer = house.send_from(MALLORY, &good().without_token()).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert!(answer.head.contains("retry-after: 3600"), "{answer:?}");
    assert_eq!(house.send_from(FORGE, &good()).await.status, 202, "another address isn't touched");
    assert_eq!(house.depth().await.due, 1);
}

#[tokio::test]
async fn who_is_limited_can_still_ask_how_we_are_and_is_counted() {
    let house = strict().await;
    statuses(&house, MALLORY, &good().without_token(), 8).await;
    let get = |path| Request { headers: Vec::new(), ..good().body("").to("GET", path) };
    assert_eq!(house.send_from(MALLORY, &get("/healthz")).await.status, 200);
    let figures = house.send_from(MALLORY, &get("/metrics")).await.body;
    for line in [
        r#"countersign_deliveries_total{source="gitlab",outcome="unauthenticated"} 5"#,
        r#"countersign_deliveries_total{source="gitlab",outcome="limited"} 3"#,
    ] {
        assert!(figures.contains(line), "{line}\n{figures}");
    }
}

/// All come through one proxy of ours, which says in a header who its client is.
#[tokio::test]
async fn behind_a_proxy_each_of_its_clients_is_limited_by_itself() {
    let strangers = StrangerLimits { inside: false, ..STRICT };
    let client_address = Some("x-forwarded-for".to_owned());
    let house = house_within(Bounds { strangers, client_address, ..Bounds::default() }).await;
    let from = |client: &str| good().without_token().with("x-forwarded-for", client);

    let invented = from("198.51.100.1, 203.0.113.7");
    assert_eq!(statuses(&house, MALLORY, &invented, 5).await, [401; 5]);
    for again in [invented, from("203.0.113.7"), from("192.0.2.1, 203.0.113.7")] {
        assert_eq!(
            house.send_from(MALLORY, &again).await.status,
            429,
            "what mallory writes before it changes nothing"
        );
    }
    let forge = good().with("x-forwarded-for", "203.0.113.8");
    assert_eq!(house.send_from(MALLORY, &forge).await.status, 202, "another client isn't touched");
    assert_eq!(
        statuses(&house, MALLORY, &good().without_token(), 7).await,
        [401; 7],
        "the proxy's own are not limited"
    );
}

/// Who doesn't come through a proxy of ours is whom their connection says.
#[tokio::test]
async fn a_header_is_not_believed_where_no_proxy_is_configured() {
    let house = strict().await;
    for number in 0..5 {
        let request = good().without_token().with("x-forwarded-for", format!("203.0.113.{number}"));
        assert_eq!(house.send_from(MALLORY, &request).await.status, 401);
    }
    let request = good().without_token().with("x-forwarded-for", "203.0.113.77");
    assert_eq!(house.send_from(MALLORY, &request).await.status, 429);
}

/// Twenty megabytes are announced, and nothing of them is waited for.
#[tokio::test]
async fn who_is_limited_is_answered_before_the_body() {
    let house = strict().await;
    statuses(&house, MALLORY, &good().without_token(), 5).await;
    let head = good().with("expect", "100-continue").announcing(20_000_000).body("");
    let answer = house.send_from(MALLORY, &head).await;
    assert_eq!(answer.status, 429, "{answer:?}");
}

#[tokio::test]
async fn a_request_that_breaks_off_counts() {
    let house = strict().await;
    for _ in 0..5 {
        let mut stream = house.connect_from(MALLORY).await;
        stream.write_all(&good().announcing(100_000).bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        read(stream).await;
    }
    assert_eq!(house.send_from(MALLORY, &good()).await.status, 429);
}

/// Behind a proxy with a public address all have one.
#[tokio::test]
async fn an_address_that_has_proved_itself_is_never_turned_away() {
    let house = strict().await;
    assert_eq!(house.send_from(FORGE, &delivery(0)).await.status, 202);
    for round in 1..=20 {
        assert_eq!(statuses(&house, FORGE, &good().without_token(), 5).await, [401; 5]);
        assert_eq!(house.send_from(FORGE, &delivery(round)).await.status, 202);
    }
    assert_eq!(house.depth().await.due, 21);
}

#[rstest]
#[case::none_of_our_business(good().body(note("looks good to me")), 200)]
#[case::unreadable(good().body("{"), 400)]
#[tokio::test]
async fn whatever_is_verified_is_a_proof(#[case] request: Request, #[case] status: u16) {
    let house = strict().await;
    assert_eq!(statuses(&house, FORGE, &request, 9).await, vec![status; 9]);
    assert_eq!(statuses(&house, FORGE, &good().without_token(), 9).await, [401; 9]);
}

#[tokio::test]
async fn a_store_that_cant_write_makes_nobody_a_stranger() {
    let house = strict().await;
    house.store.close().await;
    assert_eq!(statuses(&house, FORGE, &good(), 9).await, [503; 9]);
}

/// Bodies that stall count from their beginning.
#[tokio::test]
async fn requests_at_once_are_limited_like_those_one_by_one() {
    let house = strict().await;
    let (mut begun, mut streams) = (0, Vec::new());
    for _ in 0..200 {
        let mut stream = house.connect_from(MALLORY).await;
        let head = good().without_token().with("expect", "100-continue").announcing(9_000).body("");
        stream.write_all(&head.bytes()).await.unwrap();
        let mut answer = [0; 25];
        stream.read_exact(&mut answer).await.unwrap();
        begun += usize::from(answer.starts_with(b"HTTP/1.1 100"));
        streams.push(stream);
    }
    assert_eq!(begun, 5);
}

/// Three requests a second come from the forge's own address, and none of its proofs is remembered.
#[tokio::test]
async fn strangers_with_the_forges_address_dont_silence_it() {
    let limits = StrangerLimits {
        every: SignedDuration::from_secs(1),
        trust: SignedDuration::ZERO,
        turn: Duration::from_millis(1),
        patience: Duration::from_mins(1),
        ..STRICT
    };
    let house = house_within(Bounds { strangers: limits, ..Bounds::default() }).await;
    for second in 0..60 {
        house.clock.moved.fetch_add(1, Ordering::Relaxed);
        statuses(&house, FORGE, &good().without_token(), 3).await;
        let answer = house.send_from(FORGE, &delivery(second)).await;
        assert_eq!(answer.status, 202, "{second}: {answer:?}");
    }
}

/// Bodies that stall hold no turn.
#[tokio::test]
async fn strangers_who_stall_above_the_limit_dont_silence_the_forge() {
    let limits = StrangerLimits { burst: 0, inside: true, ..StrangerLimits::default() };
    let house = house_within(Bounds { strangers: limits, ..Bounds::default() }).await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = house.connect_from(FORGE).await;
        stream.write_all(&good().announcing(9_000).bytes()).await.unwrap();
        slow.push(stream);
    }
    let mut tries = 1;
    while house.send_from(FORGE, &good()).await.status != 202 {
        tries += 1;
        assert!(tries < 100, "it never came through");
    }
}

/// At the start nobody has proved anything, and a flood comes from the forge's own address.
#[tokio::test]
async fn a_forge_that_sends_again_comes_through_a_flood_from_its_own_address() {
    let limits = StrangerLimits { burst: 0, inside: true, ..StrangerLimits::default() };
    let house = Arc::new(house_within(Bounds { strangers: limits, ..Bounds::default() }).await);
    let (flood, halt) = (TaskTracker::new(), CancellationToken::new());
    for _ in 0..64 {
        let (house, halt) = (Arc::clone(&house), halt.clone());
        flood.spawn(halt.run_until_cancelled_owned(async move {
            loop {
                house.send_from(FORGE, &good().signed(now(), b"{}")).await;
            }
        }));
    }
    let mut tries = 1;
    while house.send_from(FORGE, &delivery(0)).await.status != 202 {
        tries += 1;
        assert!(tries < 100, "it never came through");
    }
    for number in 1..20 {
        let answer = house.send_from(FORGE, &delivery(number)).await;
        assert_eq!(answer.status, 202, "once it is known it is always heard: {answer:?}");
    }
    halt.cancel();
    flood.close();
    flood.wait().await;
}

/// Above the limit only small bodies get a turn: what is large has to wait until time has brought a try back.
#[tokio::test]
async fn what_gets_no_turn_behind_a_flooded_address_comes_through_when_time_has_passed() {
    let house = strict().await;
    statuses(&house, FORGE, &good().without_token(), 50).await;
    assert_eq!(house.send_from(FORGE, &good()).await.status, 429);
    house.clock.moved.store(STRICT.every.as_secs(), Ordering::Relaxed);
    assert_eq!(house.send_from(FORGE, &good()).await.status, 202);
    assert_eq!(statuses(&house, FORGE, &good().without_token(), 9).await, [401; 9]);
    assert_eq!(house.send_from(FORGE, &good()).await.status, 202);
}

#[tokio::test]
async fn addresses_inside_are_not_limited_unless_that_is_wished() {
    let house = house().await;
    assert_eq!(statuses(&house, MALLORY, &good().without_token(), 200).await, [401; 200]);
    house.is_unharmed().await;
}

/// A flood of every kind from many connections, and the forge's deliveries in the middle of it.
#[tokio::test]
async fn every_delivery_of_the_forge_is_stored_in_the_middle_of_a_flood() {
    let limits = StrangerLimits { inside: true, ..StrangerLimits::default() };
    let connections = Limits { connections: 32, ..Limits::default() };
    let house = Arc::new(house_within(Bounds { strangers: limits, connections, ..Bounds::default() }).await);
    let (flood, halt) = (TaskTracker::new(), CancellationToken::new());
    for number in 0..64 {
        let (house, halt) = (Arc::clone(&house), halt.clone());
        flood.spawn(halt.run_until_cancelled_owned(async move {
            let unsigned = match number % 4 {
                0 => good().without_token(),
                1 => good().signed(now(), b"{}").body(vec![b' '; 100_000]),
                2 => good().to("POST", "/hooks/nobody"),
                _ => good().announcing(50_000),
            };
            loop {
                let mut stream = house.connect_from(MALLORY).await;
                let _ = stream.write_all(&unsigned.bytes()).await;
                let _ = stream.read(&mut [0; 256]).await;
            }
        }));
    }
    for number in 0..60 {
        let answer = house.send_from(FORGE, &delivery(number)).await;
        assert_eq!(answer.status, 202, "{number}: {answer:?}");
    }
    halt.cancel();
    flood.close();
    flood.wait().await;
    assert_eq!(house.depth().await.due, 60);
}
