//! Where connections may go: overrides of the operator, and addresses that are refused.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::lookups::look_up;

/// The one port that KMS connects to.
const PORT: u16 = 443;

/// Where the connection to a host really goes. Name, certificate and signature stay those of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The host, or `*.` and a domain for all hosts one label below it.
    pub host: String,
    /// `host:port`, tried in this order.
    pub connect_to: Vec<String>,
}

impl Override {
    fn is_for(&self, host: &str) -> bool {
        covers(&self.host, host)
    }
}

/// Whether a pattern means a host: it is its name, or `*.` and the domain one label above it.
#[must_use]
pub fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// Where connections may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// Overrides; the first that fits counts.
    pub overrides: Vec<Override>,
    /// Whether addresses may be private, of this machine, or of its link. Overrides are never held to it.
    pub allow_private: bool,
}

impl Network {
    /// The addresses of a host, in the order in which they are to be tried.
    ///
    /// # Errors
    /// There is none, or none that is allowed.
    pub async fn addresses(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        if let Some(known) = self.overrides.iter().find(|known| known.is_for(host)) {
            let mut addresses = Vec::new();
            let mut failed = None;
            for target in &known.connect_to {
                match look_up(target).await {
                    Ok(found) => addresses.extend(found),
                    Err(error) => failed = Some(error),
                }
            }
            return match failed {
                Some(error) if addresses.is_empty() => Err(error),
                _ => Ok(addresses),
            };
        }
        let found = look_up(&format!("{host}:{PORT}")).await?;
        let allowed: Vec<_> =
            found.iter().copied().filter(|address| self.allow_private || !is_private(address.ip())).collect();
        if allowed.is_empty() && !found.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the host has private addresses only, which are not allowed",
            ));
        }
        Ok(allowed)
    }
}

/// Whether an address is one that no public proxy has: of this machine, its link, a private network, a group, nobody's.
#[must_use]
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || first == 0
        // RFC 6598, shared by providers; RFC 6890, protocol assignments; RFC 2544, benchmarks; RFC 1112, reserved.
        || (first == 100 && (64..128).contains(&second))
        || (first == 192 && second == 0 && third == 0)
        || (first == 198 && (18..20).contains(&second))
        || first >= 240
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [first, second, .., seventh, eighth] = address.segments();
    // NAT64 (RFC 6052) and 6to4 (RFC 3056) carry an IPv4 address, which counts.
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    let carried = match (first, second) {
        (0x64, 0xff9b) => Some(v4(seventh, eighth)),
        (0x2002, high) => address.segments().get(2).map(|low| v4(high, *low)),
        _ => None,
    };
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        // fc00::/7 unique local, fe80::/10 link-local, fec0::/10 site-local.
        || (first & 0xfe00) == 0xfc00
        || (first & 0xff80) == 0xfe80
        || carried.is_some_and(is_private_v4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_all_their_forms() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fec0::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in
            ["8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.2.1", "2606:4700::1", "64:ff9b::808:808"]
        {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn overrides_are_for_a_host_or_one_label_below_a_domain() {
        let known = |host: &str| Override { host: host.to_owned(), connect_to: Vec::new() };
        assert!(known("a.example.com").is_for("A.example.com"));
        assert!(known("*.example.com").is_for("a.example.com"));
        for other in ["example.com", "b.a.example.com", "a.example.org"] {
            assert!(!known("*.example.com").is_for(other), "{other}");
        }
    }

    #[tokio::test]
    async fn names_of_private_addresses_are_refused_unless_the_operator_says_so() {
        let strict = Network::default();
        assert_eq!(strict.addresses("localhost").await.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let open = Network { allow_private: true, ..Network::default() };
        assert!(open.addresses("localhost").await.unwrap().iter().all(|address| address.port() == 443));
        let known = Override { host: "a.test".to_owned(), connect_to: vec!["127.0.0.1:8443".to_owned()] };
        let routed = Network { overrides: vec![known], allow_private: false };
        assert_eq!(routed.addresses("a.test").await.unwrap(), ["127.0.0.1:8443".parse().unwrap()]);
    }
}
