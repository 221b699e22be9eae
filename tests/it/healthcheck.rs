//! `countersign healthcheck` as a process.

use crate::cli::{Desk, SECRET, Serving, countersign, ran};

#[test]
fn a_ready_server_is_healthy_by_its_address_and_by_its_configuration() {
    let desk = Desk::listening_on("0.0.0.0:0");
    let serving = Serving::start(&desk);
    let by_address = format!("http://{}/readyz", serving.address.replace("0.0.0.0", "localhost"));
    let text = std::fs::read_to_string(desk.config()).unwrap();
    std::fs::write(desk.config(), text.replace("0.0.0.0:0", &serving.address)).unwrap();
    let ran = ran(countersign().args(["healthcheck", "--url", &by_address]));
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "ready\n", ""));
    let by_configuration = desk.run(&["healthcheck"]);
    assert_eq!((by_configuration.code, by_configuration.err.as_str()), (0, ""));
    // As in the image, where the variable is always set.
    let (elsewhere, mut both) = (Desk::listening_on("127.0.0.1:9"), countersign());
    both.env("COUNTERSIGN_CONFIG", elsewhere.config()).args(["healthcheck", "--url", &by_address]);
    assert_eq!(crate::cli::ran(&mut both).code, 0, "the address goes before the configuration");
    assert_eq!(serving.end("-TERM").0, 0);

    let gone = desk.run(&["healthcheck"]);
    assert_eq!(gone.code, 1);
    assert!(gone.err.contains("nobody answers") && !gone.err.contains(SECRET), "{}", gone.err);
}

#[test]
fn whoever_answers_something_else_is_not_healthy() {
    let desk = Desk::new();
    let serving = Serving::start(&desk);
    let elsewhere = format!("http://{}/elsewhere", serving.address);
    let ran = ran(countersign().args(["healthcheck", "--url", &elsewhere]));
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("not ready, it answers 404"), "{}", ran.err);
}

#[test]
fn an_address_that_cannot_be_asked_is_unusable() {
    for url in ["https://127.0.0.1:8080/readyz", "unix:/run/x", "readyz"] {
        let ran = ran(countersign().args(["healthcheck", "--url", url]));
        assert_eq!(ran.code, 2, "{url}: {}", ran.err);
    }
}
