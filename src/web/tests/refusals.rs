//! Whatever comes in: nothing that isn't verified is stored, and nobody else is harmed.

use super::*;
use rstest::rstest;

#[rstest]
#[case::no_proof(good().without_token(), 401)]
#[case::wrong_token(good().without_token().with("x-gitlab-token", "Sesame"), 401)]
#[case::empty_token(good().without_token().with("x-gitlab-token", ""), 401)]
#[case::token_of_no_text(good().without_token().with("x-gitlab-token", b"\xff\xfe"), 401)]
#[case::token_twice(good().with("x-gitlab-token", TOKEN), 401)]
#[case::stale_signature(good().signed(later(-301), approve().as_bytes()), 401)]
#[case::signature_of_tomorrow(good().signed(later(301), approve().as_bytes()), 401)]
#[case::signature_of_another_body(good().signed(now(), b"{}"), 401)]
#[case::signature_beside_a_right_token(good().signed(now(), b"{}").with("x-gitlab-token", TOKEN), 401)]
#[case::half_a_signature(good().with("webhook-id", "m1"), 401)]
#[case::signature_twice(good().signed(now(), approve().as_bytes()).with("webhook-id", "m1"), 401)]
#[case::no_proof_and_no_sense(good().without_token().body("{"), 401)]
#[case::no_body(good().body(""), 400)]
#[case::truncated_json(good().body(&approve().as_bytes()[..100]), 400)]
#[case::no_json(good().body("object_kind=note"), 400)]
#[case::no_text(good().body(b"\xff\xfe\x00"), 400)]
#[case::broken_text_inside(good().body(approve().replace("alice", "\u{fffd}").into_bytes().into_iter().map(|b| if b == 0xbf { 0xff } else { b }).collect::<Vec<u8>>()), 400)]
#[case::a_number(good().body("7"), 400)]
#[case::a_list(good().body("[]"), 400)]
#[case::another_shape(good().body(r#"{"text": "@countersign approve production"}"#), 400)]
#[case::deeply_nested(good().body("[".repeat(100_000)), 400)]
#[case::deeply_nested_inside(good().body(format!(r#"{{"object_kind": {}"#, r#"{"a":"#.repeat(50_000))), 400)]
#[case::two_bodies(good().body(approve() + &approve()), 400)]
#[case::compressed(good().with("content-encoding", "gzip").body(b"\x1f\x8b\x08\x00\x00\x00\x00\x00"), 400)]
#[case::a_form(good().with("content-type", "application/x-www-form-urlencoded").body("payload=%7B%7D"), 400)]
#[case::too_large(good().announcing(25 * 1024 * 1024 + 1).body(""), 413)]
#[case::far_too_large(good().announcing(usize::MAX / 4).body(""), 413)]
#[case::two_lengths(good().with("content-length", "3"), 400)]
#[case::unknown_name(good().to("POST", "/hooks/github"), 404)]
#[case::name_of_no_text(good().to("POST", "/hooks/%ff"), 404)]
#[case::no_name(good().to("POST", "/hooks/"), 404)]
#[case::a_path_behind_the_name(good().to("POST", "/hooks/gitlab/x"), 404)]
#[case::traversal(good().to("POST", "/hooks/../hooks/gitlab"), 404)]
#[case::other_path(good().to("POST", "/"), 404)]
#[case::get(good().to("GET", "/hooks/gitlab"), 405)]
#[case::put(good().to("PUT", "/hooks/gitlab"), 405)]
#[case::delete(good().to("DELETE", "/hooks/gitlab"), 405)]
#[tokio::test]
async fn what_is_refused_is_not_stored_and_harms_nobody(#[case] request: Request, #[case] status: u16) {
    let house = house().await;
    let answer = house.send(&request.bytes()).await;
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(!answer.body.contains(TOKEN) && !answer.body.contains('\n'), "{answer:?}");
    house.is_unharmed().await;
}

#[rstest]
#[case::no_http(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n".to_vec(), 400)]
#[case::no_version(b"POST /hooks/gitlab\r\n\r\n".to_vec(), 400)]
#[case::too_many_headers([b"POST /hooks/gitlab HTTP/1.1\r\n".to_vec(), b"x: y\r\n".repeat(200), b"\r\n".to_vec()].concat(), 431)]
#[case::length_of_no_number(b"POST /hooks/gitlab HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_vec(), 400)]
#[case::broken_chunk(b"POST /hooks/gitlab HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(), 400)]
#[tokio::test]
async fn what_is_hardly_http_harms_nobody(#[case] bytes: Vec<u8>, #[case] status: u16) {
    let house = house().await;
    assert_eq!(house.send(&bytes).await.status, status);
    house.is_unharmed().await;
}

#[tokio::test]
async fn a_header_without_end_is_not_kept_in_memory() {
    let house = house().await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let piece = vec![b'a'; 16 * 1024];
    stream.write_all(b"POST /hooks/gitlab HTTP/1.1\r\nx: ").await.unwrap();
    let mut sent = 0;
    while sent < 100_000_000 && stream.write_all(&piece).await.is_ok() {
        sent += piece.len();
    }
    assert!(sent < 100_000_000, "the server took it all");
    house.is_unharmed().await;
}

#[tokio::test]
async fn a_request_that_breaks_off_harms_nobody() {
    let house = house().await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(&good().announcing(100_000).bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = read(stream).await;
    assert!([0, 400].contains(&answer.status), "{answer:?}");
    house.is_unharmed().await;
}
