//! Who a request is from, where a proxy stands in front: what `X-Forwarded-For` says, as far as proxies that are trusted
//! have written it.
//!
//! Each proxy adds the address that it was reached from at the right. What stands left of the first address that is no
//! trusted proxy's is what its owner likes it to be, and is not read.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use trent_service::Network;

const HEADER: &str = "x-forwarded-for";

/// The proxies that are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Those in these networks.
    #[must_use]
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// The address of the client whose request has reached us from `peer`. Where a trusted proxy says nothing, or what is
    /// no address, it is the proxy that we know: its own address.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.has(peer) {
            return peer;
        }
        let mut furthest = peer;
        for line in headers.get_all(HEADER).iter().rev() {
            // By bytes: what a client has written at the left must not spoil what a proxy has added at the right.
            for hop in line.as_bytes().rsplit(|byte| *byte == b',') {
                match address(hop.trim_ascii()) {
                    None => return peer,
                    Some(hop) if !self.has(hop) => return hop,
                    Some(hop) => furthest = hop,
                }
            }
        }
        // The client is in a trusted network itself.
        furthest
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// An address as proxies write it: with a port or without, that of IPv6 in brackets or without.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn proxies() -> TrustedProxies {
        TrustedProxies::new(["10.0.0.0/8", "fd00::/8"].map(|text| Network::parse(text).unwrap()).to_vec())
    }

    fn client(peer: &str, lines: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HEADER, HeaderValue::from_bytes(line).unwrap());
        }
        proxies().client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxys_is_the_clients() {
        assert_eq!(client("10.0.0.1", &[b"203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &[b"198.51.100.1, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &[b"198.51.100.1,203.0.113.7 ,10.0.0.9,  10.0.0.8"]), "203.0.113.7");
        assert_eq!(client("fd00::1", &[b"2001:db8::7, fd00::2"]), "2001:db8::7");
        // Left of it may stand whatever its owner likes.
        assert_eq!(client("10.0.0.1", &[b"10.0.0.2, <script>, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &[b"\xff", b"203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &[b"\xff, 203.0.113.7"]), "203.0.113.7");
    }

    #[test]
    fn several_headers_are_one_list_in_their_order() {
        assert_eq!(
            client("10.0.0.1", &[b"198.51.100.1", b"203.0.113.7, 10.0.0.2", b"10.0.0.3"]),
            "203.0.113.7"
        );
    }

    #[test]
    fn what_others_than_trusted_proxies_say_is_not_heard() {
        assert_eq!(client("192.0.2.1", &[b"203.0.113.7"]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &[b"10.0.0.1"]), "192.0.2.1");
        let nobody = TrustedProxies::default();
        let headers =
            HeaderMap::from_iter([(HEADER.parse().unwrap(), HeaderValue::from_static("203.0.113.7"))]);
        assert_eq!(nobody.client("10.0.0.1".parse().unwrap(), &headers).to_string(), "10.0.0.1");
    }

    #[test]
    fn without_an_address_in_its_place_it_is_the_peers() {
        for lines in [
            &[][..],
            &[&b""[..]],
            &[b"unknown"],
            &[b"203.0.113.7,"],
            &[b"203.0.113.7, unknown"],
            &[b"203.0.113.7, 10.0.0.256"],
            &[b"203.0.113.7", b"\xff"],
            &[b"203.0.113.7;10.0.0.2"],
            &[b"for=203.0.113.7"],
        ] {
            assert_eq!(client("10.0.0.1", lines), "10.0.0.1", "{lines:?}");
        }
    }

    #[test]
    fn a_client_in_a_trusted_network_is_the_furthest_that_is_known() {
        assert_eq!(client("10.0.0.1", &[b"10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn ports_and_brackets_are_no_part_of_an_address() {
        for (written, meant) in [
            ("203.0.113.7:41234", "203.0.113.7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:41234", "2001:db8::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[written.as_bytes()]), meant, "{written}");
        }
    }
}
