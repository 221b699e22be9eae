//! Who holds places, and what comes through a connection besides plain requests.

use super::*;
use rstest::rstest;

async fn few_places(connections: u32) -> House {
    house_with(BodyLimits::default(), Limits { connections, ..Limits::default() }).await
}

/// Reads one answer of a connection that stays open.
async fn next_answer(stream: &mut TcpStream) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: String::from_utf8(body).unwrap() }
}

/// The server has heard what was sent on it, and waits for the rest.
async fn stalled(mut stream: TcpStream, request: &Request) -> TcpStream {
    let head = request.clone().with("expect", "100-continue").announcing(9_000).body("").bytes();
    stream.write_all(&head).await.unwrap();
    stream.read_exact(&mut [0; 25]).await.unwrap();
    stream
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn connections_that_say_nothing_lock_nobody_out() {
    let house = few_places(8).await;
    let mut idle = Vec::new();
    for _ in 0..24 {
        idle.push(house.connect_from(9).await);
    }
    house.is_unharmed().await;
}

#[tokio::test]
async fn bodies_that_stall_lock_nobody_out() {
    let house = few_places(4).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(stalled(house.connect_from(9).await, &good()).await);
    }
    house.is_unharmed().await;
}

/// What takes the room for large bodies is what has come of them.
#[tokio::test]
async fn large_bodies_that_stall_keep_no_large_delivery_out() {
    let bodies = BodyLimits { small: 2000, room: 4 * PIECE, ..BodyLimits::default() };
    let house = house_with(bodies, Limits::default()).await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut stream = stalled(house.connect_from(9).await, &good()).await;
        stream.write_all(&[b' '; 4000]).await.unwrap();
        slow.push(stream);
    }
    let padded = good().body(approve() + &" ".repeat(3000));
    assert_eq!(house.send(&padded.bytes()).await.status, 202);
}

/// Whoever doesn't read what is answered would otherwise stay for ever: no time-out is running.
#[tokio::test]
async fn clients_that_read_no_answers_lock_nobody_out() {
    let house = few_places(2).await;
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(64);
    let mut deaf = Vec::new();
    for _ in 0..2 {
        let mut stream = house.connect_from(9).await;
        let sending = async { while stream.write_all(&request).await.is_ok() {} };
        assert!(tokio::time::timeout(Duration::from_millis(300), sending).await.is_err(), "it took it all");
        deaf.push(stream);
    }
    house.is_unharmed().await;
}

#[tokio::test]
async fn who_crowds_goes_first_and_of_those_whoever_was_silent_longest() {
    let house = few_places(8).await;
    let mut patient = stalled(house.connect_from(7).await, &good()).await;
    let mut crowd = Vec::new();
    for _ in 0..7 {
        crowd.push(stalled(house.connect_from(9).await, &good()).await);
    }
    house.is_unharmed().await;
    assert!(is_closed(&mut crowd[0]).await, "the oldest of the crowd had to go");
    patient.write_all(&vec![b' '; 9_000]).await.unwrap();
    assert_eq!(read(patient).await.status, 400, "who came before the crowd has stayed");
    crowd[6].write_all(&vec![b' '; 9_000]).await.unwrap();
    assert_eq!(read(crowd.pop().unwrap()).await.status, 400, "and so has the newest of the crowd");
}

/// Deliveries in one write: each is stored, the answers come in their order.
#[tokio::test]
async fn pipelined_deliveries_are_all_stored_and_answered_in_order() {
    let house = house().await;
    let on = |request: Request| {
        let text = String::from_utf8(request.bytes()).unwrap();
        text.replace("connection: close\r\n", "").into_bytes()
    };
    let mut sent = Vec::new();
    for number in 0..40 {
        let spoilt = if number % 4 == 3 { good().without_token() } else { good() };
        sent.extend(on(spoilt.with("idempotency-key", format!("delivery-{number}"))));
    }
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(&sent).await.unwrap();
    for number in 0..40 {
        let answer = next_answer(&mut stream).await;
        assert_eq!(answer.status, if number % 4 == 3 { 401 } else { 202 }, "{number}: {answer:?}");
    }
    assert_eq!(house.depth().await.due, 30);
}

const SMUGGLED: &str = "POST /hooks/gitlab HTTP/1.1\r\nhost: x\r\nx-gitlab-token: sesame\r\n\
                        x-gitlab-event: Note Hook\r\ncontent-length: 2\r\n\r\n{}";

/// Two readers could take such a request to end at different places; what one takes for a body could be the
/// other's next request.
#[rstest]
#[case::length_and_chunks("content-length: 6\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n", 400)]
#[case::chunks_and_length("transfer-encoding: chunked\r\ncontent-length: 6\r\n", "0\r\n\r\n", 400)]
#[case::chunks_twice("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n", 400)]
#[case::chunks_not_last("transfer-encoding: chunked, identity\r\n", "0\r\n\r\n", 400)]
#[case::another_coding("transfer-encoding: xchunked\r\n", "0\r\n\r\n", 400)]
#[case::a_space_before_the_colon("transfer-encoding : chunked\r\n", "0\r\n\r\n", 400)]
#[case::a_folded_line("transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n", 400)]
#[case::two_lengths("content-length: 0\r\ncontent-length: 5\r\n", "", 400)]
#[case::a_list_of_lengths("content-length: 0, 5\r\n", "", 400)]
#[case::a_length_with_a_sign("content-length: +0\r\n", "", 400)]
#[case::a_length_in_hexadecimal("content-length: 0x0\r\n", "", 400)]
#[case::a_length_without_end("content-length: 99999999999999999999999\r\n", "", 400)]
#[case::a_chunk_of_negative_size("transfer-encoding: chunked\r\n", "-1\r\n\r\n", 400)]
#[case::a_chunk_without_end("transfer-encoding: chunked\r\n", "fffffffffffffffff\r\n\r\n", 400)]
#[case::a_chunk_longer_than_it_says("transfer-encoding: chunked\r\n", "1\r\nabc\r\n0\r\n\r\n", 400)]
#[case::a_bare_line_feed_for_an_end("transfer-encoding: chunked\r\n", "0\n\n", 400)]
#[tokio::test]
async fn nothing_is_smuggled_behind_a_doubtful_request(
    #[case] headers: &str,
    #[case] body: &str,
    #[case] status: u16,
) {
    let house = house().await;
    let head = "POST /hooks/gitlab HTTP/1.1\r\nhost: x\r\nx-gitlab-token: sesame\r\n";
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let sent = format!("{head}{headers}\r\n{body}{SMUGGLED}");
    let _ = stream.write_all(sent.as_bytes()).await;
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    let all = String::from_utf8(all).unwrap();
    assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "one answer, and the connection is closed: {all}");
    assert!(all.starts_with(&format!("HTTP/1.1 {status}")), "{all}");
    house.is_unharmed().await;
}

#[rstest]
#[case::extensions("5;a=b;c=\"d\"\r\n", "\r\n0\r\n\r\n")]
#[case::trailers("5\r\n", "\r\n0\r\nx-gitlab-token: other\r\nx-more: y\r\n\r\n")]
#[case::capital_digits_and_zeros("0005\r\n", "\r\n000\r\n\r\n")]
#[tokio::test]
async fn odd_but_right_chunks_are_read_as_the_body_that_they_are(#[case] first: &str, #[case] last: &str) {
    let house = house().await;
    let body = approve();
    let (begin, rest) = body.split_at(5);
    let head = "POST /hooks/gitlab HTTP/1.1\r\nhost: x\r\nx-gitlab-token: sesame\r\n\
                x-gitlab-event: Note Hook\r\ntransfer-encoding: chunked\r\n\r\n";
    let sent = format!("{head}{first}{begin}\r\n{:X}\r\n{rest}{last}", rest.len());
    assert_eq!(house.send(sent.as_bytes()).await.status, 202);
    assert_eq!(house.depth().await.due, 1);
}

#[tokio::test]
async fn a_body_of_single_bytes_is_taken_without_harm() {
    let house = house().await;
    let chunks: String = approve().chars().map(|c| ["1\r\n", &c.to_string(), "\r\n"].concat()).collect();
    let head = "POST /hooks/gitlab HTTP/1.1\r\nhost: x\r\nx-gitlab-token: sesame\r\n\
                x-gitlab-event: Note Hook\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(house.send(format!("{head}{chunks}0\r\n\r\n").as_bytes()).await.status, 202);
}

#[rstest]
#[case::many(b"x: y\r\n".repeat(101))]
#[case::long([b"x: ".to_vec(), vec![b'y'; 200_000], b"\r\n".to_vec()].concat())]
#[case::many_and_long(["x: ".to_owned() + &"y".repeat(4_000) + "\r\n"].concat().into_bytes().repeat(99))]
#[tokio::test]
async fn too_many_or_too_long_headers_are_refused_before_anything_is_read(#[case] headers: Vec<u8>) {
    let house = house().await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head = b"POST /hooks/gitlab HTTP/1.1\r\nhost: x\r\nx-gitlab-token: sesame\r\n".to_vec();
    let _ = stream.write_all(&[head, headers, b"content-length: 2\r\n\r\n{}".to_vec()].concat()).await;
    let answer = read(stream).await;
    assert!([0, 431].contains(&answer.status), "{answer:?}");
    house.is_unharmed().await;
}

/// Nothing is decoded: a signature is over the bytes as they came, and what is small when it comes stays small.
#[rstest]
#[case::gzip("gzip")]
#[case::brotli("br")]
#[case::of_our_own("identity, gzip, gzip")]
#[tokio::test]
async fn a_compressed_body_is_bytes_like_any_other(#[case] coding: &str) {
    let house = house().await;
    let bomb = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03".to_vec(), vec![0; 1000]].concat();
    let answer = house.send(&good().with("content-encoding", coding).body(&bomb).bytes()).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let signed = good().with("content-encoding", coding).signed(now(), approve().as_bytes());
    assert_eq!(house.send(&signed.bytes()).await.status, 202);
    assert_eq!(house.depth().await.due, 1);
}

#[tokio::test]
async fn a_replay_is_answered_like_the_first_and_does_nothing() {
    let house = house().await;
    let request = good().signed(now(), approve().as_bytes()).bytes();
    for _ in 0..50 {
        assert_eq!(house.send(&request).await.status, 202);
    }
    assert_eq!(house.depth().await.due, 1);
}

#[tokio::test]
async fn a_defect_ends_one_request_and_not_those_beside_it() {
    let house = house().await;
    let defect = String::from_utf8(good().to("POST", "/hooks/defect").bytes()).unwrap();
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let mut beside = stalled(TcpStream::connect(house.address).await.unwrap(), &good()).await;
    stream.write_all(defect.replace("connection: close\r\n", "").as_bytes()).await.unwrap();
    assert_eq!(next_answer(&mut stream).await.status, 500);
    stream.write_all(&good().bytes()).await.unwrap();
    assert_eq!(read(stream).await.status, 202, "the same connection goes on");
    beside.write_all(&vec![b' '; 9_000]).await.unwrap();
    assert_eq!(read(beside).await.status, 400);
}
