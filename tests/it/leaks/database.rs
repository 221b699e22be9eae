//! What a database learns of us, and what is told when it doesn't take it.

use super::outside::{Outside, PASSWORD, PASSWORD_IN_URL};
use super::says;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;

/// A database that asks for the password in clear text, takes it, and refuses it.
fn refusing_database() -> (String, Arc<OnceLock<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let told = Arc::<OnceLock<String>>::default();
    let heard = Arc::clone(&told);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Ok(password) = refuse(stream) {
                let _ = heard.set(password);
            }
        }
    });
    (address, told)
}

fn refuse(mut stream: TcpStream) -> io::Result<String> {
    // A wish for TLS has a code of its own where a version stands else.
    while message(&mut stream)?.starts_with(&80_877_103_u32.to_be_bytes()) {
        stream.write_all(b"N")?;
    }
    stream.write_all(b"R\0\0\0\x08\0\0\0\x03")?;
    stream.read_exact(&mut [0])?;
    let password = message(&mut stream)?;
    stream.write_all(b"E\0\0\0\x21SFATAL\0C28P01\0Mnot this one\0\0")?;
    Ok(String::from_utf8_lossy(&password).trim_end_matches('\0').to_owned())
}

/// What stands behind a message's length.
fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
    stream.read_exact(&mut message)?;
    Ok(message)
}

#[test]
fn a_database_that_is_not_there_or_refuses_us_learns_no_more_than_it_asks_for() {
    let outside = Outside::new();
    let (refusing, told) = refusing_database();
    for (host, asked) in [("127.0.0.1:9", false), (refusing.as_str(), true)] {
        let config =
            outside.configure(&format!("postgres://countersign:{PASSWORD_IN_URL}@{host}/countersign"));
        for arguments in [&["serve"][..], &["check"], &["migrate"], &["jobs", "list"], &["audit", "verify"]] {
            let (output, said) = says(&config, arguments);
            assert!(!output.status.success(), "{said}");
            outside.holds_nothing_secret(arguments[0], &said);
        }
        assert_eq!(told.get().map(String::as_str), asked.then_some(PASSWORD), "{host}");
    }
}
