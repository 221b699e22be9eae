//! Percent-encoding of paths, undone.

pub(super) fn decode(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits: String = part.chars().take(2).collect();
        match u8::from_str_radix(&digits, 16) {
            Ok(byte) if digits.len() == 2 => {
                bytes.push(byte);
                bytes.extend(part.bytes().skip(2));
            }
            Ok(_) | Err(_) => {
                bytes.push(b'%');
                bytes.extend(part.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(decode("acme%2Fshop"), "acme/shop");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%C3%BC"), "ü");
    }
}
