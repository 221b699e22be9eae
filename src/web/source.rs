//! Where requests come from: the address of their connection, or what our own proxy says of its client.

use axum::http::HeaderMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An IPv4 address, or the network of an IPv6 address (/64: within it a client takes what address it likes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source(IpAddr);

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        })
    }

    /// The client of a proxy, by the header of this name: the last address there, which is the proxy's word. What stands
    /// before it is anybody's.
    pub(super) fn told(headers: &HeaderMap, name: &str) -> Option<Self> {
        let whole = headers.get_all(name).iter().next_back()?.as_bytes();
        // Cut off first: what a client wrote before it may be no text at all, and hides nobody.
        let last = std::str::from_utf8(whole.rsplit(|byte| *byte == b',').next()?).ok()?.trim();
        let bare = last.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(last);
        let address = bare.parse().or_else(|_| last.parse().map(|with_port: SocketAddr| with_port.ip()));
        address.ok().map(Self::of)
    }

    /// Not an address of the public internet: a proxy of ours, behind which anybody may stand, or our own network.
    pub(super) fn is_inside(self) -> bool {
        match self.0 {
            IpAddr::V4(address) => {
                address.is_loopback()
                    || address.is_private()
                    || address.is_link_local()
                    || is_carriers(address)
            }
            IpAddr::V6(address) => {
                self.0 == Self::of(Ipv6Addr::LOCALHOST.into()).0
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
            }
        }
    }
}

/// 100.64.0.0/10, which clouds and overlay networks use inside.
fn is_carriers(address: Ipv4Addr) -> bool {
    address.to_bits() >> 22 == Ipv4Addr::new(100, 64, 0, 0).to_bits() >> 22
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use rstest::rstest;

    fn source(address: &str) -> Source {
        Source::of(address.parse().unwrap())
    }

    #[rstest]
    #[case::same_address("203.0.113.7", "203.0.113.7", true)]
    #[case::neighbours("203.0.113.7", "203.0.113.8", false)]
    #[case::one_network("2001:db8:1:2::7", "2001:db8:1:2:ffff::8", true)]
    #[case::two_networks("2001:db8:1:2::7", "2001:db8:1:3::7", false)]
    #[case::written_as_ipv6("::ffff:203.0.113.7", "203.0.113.7", true)]
    #[case::two_written_as_ipv6("::ffff:203.0.113.7", "::ffff:203.0.113.8", false)]
    fn one_client_is_one_source(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        assert_eq!(source(one) == source(other), same);
    }

    #[rstest]
    #[case::one("203.0.113.7", Some("203.0.113.7"))]
    #[case::what_a_client_wrote_comes_first("198.51.100.1, 203.0.113.7", Some("203.0.113.7"))]
    #[case::what_a_client_wrote_is_no_text("\u{ff}\u{fe}, 203.0.113.7", Some("203.0.113.7"))]
    #[case::with_a_port("203.0.113.7:40312", Some("203.0.113.7"))]
    #[case::ipv6("2001:db8:1:2::7", Some("2001:db8:1:2::"))]
    #[case::ipv6_with_a_port("[2001:db8:1:2::7]:40312", Some("2001:db8:1:2::"))]
    #[case::ipv6_in_brackets("[2001:db8:1:2::7]", Some("2001:db8:1:2::"))]
    #[case::nothing("", None)]
    #[case::unknown("203.0.113.7, unknown", None)]
    fn a_proxy_tells_its_client_last(#[case] header: &str, #[case] client: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
        headers.append("x-forwarded-for", HeaderValue::from_str(header).unwrap());
        assert_eq!(Source::told(&headers, "x-forwarded-for"), client.map(source));
        assert_eq!(Source::told(&headers, "fly-client-ip"), None);
    }

    #[rstest]
    fn a_proxy_of_ours_is_inside(
        #[values(
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "172.17.0.2",
            "192.168.1.1",
            "169.254.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1"
        )]
        address: &str,
    ) {
        assert!(source(address).is_inside());
    }

    #[rstest]
    fn the_internet_is_outside(
        #[values(
            "140.82.112.1",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.0",
            "2606:50c0::1",
            "2001:db8::1"
        )]
        address: &str,
    ) {
        assert!(!source(address).is_inside());
    }
}
