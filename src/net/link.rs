//! Lists in pages: where the next one is, as `Link: <…>; rel="next"` says.

use super::http::{Answer, Url};
use crate::ports::failure::Failure;

/// The next page's address, if there is one. It may be anywhere: whoever follows it looks where it leads.
pub fn next_page(answer: &Answer) -> Result<Option<Url>, Failure> {
    next(&answer.headers("link").collect::<Vec<_>>())
}

fn next(links: &[&str]) -> Result<Option<Url>, Failure> {
    for link in links.iter().flat_map(|header| header.split(',')) {
        let Some((address, attributes)) = link.split_once(';') else { continue };
        let next =
            attributes.split(';').any(|attribute| matches!(attribute.trim(), "rel=\"next\"" | "rel=next"));
        let address = address.trim().strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        if let (true, Some(address)) = (next, address) {
            let url = Url::parse(address);
            return url.map(Some).map_err(|_| Failure::Unreadable("the next page has no address".to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_the_links() {
        let header = r#"<https://g.example/a?page=1>; rel="first", <https://g.example/a?page=3>; rel="next""#;
        assert_eq!(next(&[header]).unwrap().unwrap().query(), Some("page=3"));
        assert_eq!(next(&[r#"<https://g.example/a>; rel="prev""#]), Ok(None));
        assert!(next(&[r#"<nowhere>; rel="next""#]).is_err());
    }
}
