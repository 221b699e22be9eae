//! Bounds of time, size and number, and the end.

use super::*;

#[tokio::test]
async fn a_body_in_chunks_counts_by_what_comes() {
    let small = BodyLimits { largest: 2000, ..BodyLimits::default() };
    let house = house_with(small, Limits::default()).await;
    let head = "POST /hooks/gitlab HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-gitlab-token: sesame\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let chunked = |body: &str| format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let answer = house.send(chunked(&" ".repeat(2001)).as_bytes()).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    let answer = house.send(chunked(&approve()).as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let hasty = BodyLimits { time: Duration::from_millis(100), ..BodyLimits::default() };
    let house = house_with(hasty, Limits::default()).await;
    let answer = house.send(&good().announcing(100_000).bytes()).await;
    assert_eq!(answer.status, 408, "{answer:?}");
    house.is_unharmed().await;
}

#[tokio::test]
async fn large_bodies_wait_for_room_and_small_ones_dont() {
    let none = BodyLimits { small: 2000, room: 0, time: Duration::from_secs(1), ..BodyLimits::default() };
    let house = house_with(none, Limits::default()).await;
    let padded = approve() + &" ".repeat(2000);
    let large = TcpStream::connect(house.address).await.unwrap();
    let (mut large, request) = (large, good().body(padded).bytes());
    large.write_all(&request).await.unwrap();
    house.is_unharmed().await;
    assert_eq!(read(large).await.status, 408);
}

/// A body that needs more room than is left, and holds some, is refused at once: it would wait for others that wait for
/// it.
#[tokio::test]
async fn only_the_first_piece_of_room_is_waited_for() {
    let one = BodyLimits { small: 2000, room: PIECE, time: Duration::from_mins(1), ..BodyLimits::default() };
    let house = house_with(one, Limits::default()).await;
    let padded = |bytes| good().body(approve() + &" ".repeat(bytes));
    let answer = house.send(&padded(2 * PIECE).bytes()).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(house.send(&padded(2000).bytes()).await.status, 202, "what it held is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_keeps_its_room_until_it_is_answered() {
    let one =
        BodyLimits { small: 2000, room: PIECE, time: Duration::from_millis(300), ..BodyLimits::default() };
    let house = house_with(one, Limits::default()).await;
    let padded = good().body(approve() + &" ".repeat(2000));
    let mut first = TcpStream::connect(house.address).await.unwrap();
    first.write_all(&padded.clone().to("POST", "/hooks/held").bytes()).await.unwrap();
    house.held.came.notified().await;
    assert_eq!(house.send(&padded.bytes()).await.status, 408);
    house.held.let_go();
    assert_eq!(read(first).await.status, 200);
    assert_eq!(house.send(&padded.bytes()).await.status, 202);
}

/// Half of the memory of the machine in `fly.toml`: the rest is for the program and its store.
#[test]
fn what_all_connections_may_send_fits_into_a_small_machine() {
    assert!(include_str!("../../../fly.toml").contains("memory = \"256mb\""));
    let (bodies, connections) = (BodyLimits::default(), Limits::default());
    let each = bodies.small + connections.header_bytes;
    assert!(bodies.room + each * connections.connections as usize <= 128 * 1024 * 1024);
}

#[tokio::test]
async fn a_header_that_never_ends_is_cut_off() {
    let hasty = Limits { header_time: Duration::from_millis(250), ..Limits::default() };
    let house = house_with(BodyLimits::default(), hasty).await;
    for beginning in ["", "POST /hooks/gitlab HTTP/1.1\r\nx-gitlab-token: ses"] {
        let answer = house.send(beginning.as_bytes()).await;
        assert!([0, 408].contains(&answer.status), "{answer:?}");
    }
    house.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_being_served_keeps_the_place_and_others_wait_for_their_turn() {
    let one = Limits { connections: 1, ..Limits::default() };
    let house = house_with(BodyLimits::default(), one).await;
    let mut first = TcpStream::connect(house.address).await.unwrap();
    first.write_all(&good().to("POST", "/hooks/held").bytes()).await.unwrap();
    house.held.came.notified().await;
    let mut second = TcpStream::connect(house.address).await.unwrap();
    second.write_all(&good().bytes()).await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(20), second.read(&mut byte)).await;
    assert!(early.is_err(), "the second was answered while the first was in its place");
    house.held.let_go();
    assert_eq!(read(first).await.status, 200);
    assert_eq!(read(second).await.status, 202);
}

/// Sends the head alone; what comes back shows that the server is at it.
async fn begun(stream: &mut TcpStream, request: &Request) -> String {
    let request = request.clone().with("expect", "100-continue");
    let head = request.clone().announcing(request.body.len()).body("").bytes();
    stream.write_all(&head).await.unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer.to_vec()).unwrap()
}

#[tokio::test]
async fn a_running_request_is_finished_after_the_stop_and_a_new_one_refused() {
    let house = house().await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    begun(&mut stream, &good()).await;
    let idle = TcpStream::connect(house.address).await.unwrap();
    house.stop.cancel();
    assert_eq!(read(idle).await.status, 0);
    assert!(!house.tasks.is_empty(), "the server didn't wait");
    stream.write_all(&good().body).await.unwrap();
    assert_eq!(read(stream).await.status, 202);
    house.tasks.wait().await;
    assert!(TcpStream::connect(house.address).await.is_err());
    assert_eq!(house.depth().await.due, 1);
}

#[tokio::test]
async fn a_request_that_outlasts_the_drain_is_cut_off() {
    let hasty = Limits { drain: Duration::from_millis(20), ..Limits::default() };
    let house = house_with(BodyLimits::default(), hasty).await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    begun(&mut stream, &good()).await;
    house.stop.cancel();
    house.tasks.wait().await;
    assert_eq!(read(stream).await.status, 0);
    assert_eq!(house.depth().await, QueueDepth::default());
}
