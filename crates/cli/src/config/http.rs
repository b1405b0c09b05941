//! `[http]`: the listeners of the API and what clients may take.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de::Error};
use trent_server::{Limits, TrustedProxies};
use trent_service::Network;

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HttpSection {
    pub(crate) listen: Addresses,
    pub(crate) allow_plain_http: bool,
    pub(crate) tls_certificate: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) client_certificates: ClientCertificates,
    #[serde(deserialize_with = "path_prefix")]
    pub(crate) path_prefix: String,
    pub(crate) trusted_proxies: Proxies,
    pub(crate) threads: Bounded<0, 1024>,
    pub(crate) drain_seconds: Bounded<0, 3600>,
    handshake_seconds: Bounded<1, 600>,
    header_seconds: Bounded<1, 600>,
    request_seconds: Bounded<1, 3600>,
    idle_seconds: Bounded<1, 86_400>,
    body_bytes_max: Bounded<65_536, 67_108_864>,
    bodies_bytes_max: Bounded<1_048_576, 1_099_511_627_776>,
    connections_max: Bounded<1, 10_000_000>,
    connections_per_source_max: Bounded<0, 10_000_000>,
    header_bytes_max: Bounded<8192, 1_048_576>,
    headers_max: Bounded<16, 1000>,
    http2_streams_max: Bounded<1, 65_536>,
    http2_pending_resets_max: Bounded<1, 65_536>,
    http2_errors_max: Bounded<1, 65_536>,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self {
            listen: Addresses(vec![SocketAddr::from(([127, 0, 0, 1], 5670))]),
            allow_plain_http: false,
            tls_certificate: None,
            tls_key: None,
            client_ca: None,
            client_certificates: ClientCertificates::Optional,
            path_prefix: String::new(),
            trusted_proxies: Proxies::default(),
            threads: Bounded::new(0),
            drain_seconds: Bounded::new(30),
            handshake_seconds: Bounded::new(10),
            header_seconds: Bounded::new(10),
            request_seconds: Bounded::new(30),
            idle_seconds: Bounded::new(120),
            body_bytes_max: Bounded::new(1_048_576),
            bodies_bytes_max: Bounded::new(268_435_456),
            connections_max: Bounded::new(20_000),
            connections_per_source_max: Bounded::new(0),
            header_bytes_max: Bounded::new(32_768),
            headers_max: Bounded::new(100),
            http2_streams_max: Bounded::new(128),
            http2_pending_resets_max: Bounded::new(20),
            http2_errors_max: Bounded::new(128),
        }
    }
}

/// Whether clients have to show a certificate, where any is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientCertificates {
    /// They may.
    Optional,
    /// Without one there is no connection.
    Required,
}

impl HttpSection {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            handshake: self.handshake_seconds.seconds(),
            header_read: self.header_seconds.seconds(),
            request: self.request_seconds.seconds(),
            idle: self.idle_seconds.seconds(),
            body_bytes_max: self.body_bytes_max.as_usize(),
            bodies_bytes_max: self.bodies_bytes_max.as_usize(),
            connections_max: self.connections_max.as_usize(),
            connections_per_source_max: match self.connections_per_source_max.as_usize() {
                0 => None,
                max => Some(max),
            },
            header_bytes_max: self.header_bytes_max.as_usize(),
            headers_max: self.headers_max.as_usize(),
            http2_streams_max: self.http2_streams_max.as_u32(),
            http2_pending_resets_max: self.http2_pending_resets_max.as_usize(),
            http2_errors_max: self.http2_errors_max.as_usize(),
        }
    }
}

/// One address or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses(pub(crate) Vec<SocketAddr>);

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<De: Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected an address such as \"127.0.0.1:5670\", or a list of them")]
        enum OneOrMore {
            One(SocketAddr),
            More(Vec<SocketAddr>),
        }
        let addresses = match OneOrMore::deserialize(deserializer)? {
            OneOrMore::One(address) => vec![address],
            OneOrMore::More(addresses) => addresses,
        };
        if addresses.is_empty() {
            return Err(De::Error::custom("there must be at least one address"));
        }
        Ok(Self(addresses))
    }
}

/// The networks of the proxies that are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proxies(pub(crate) TrustedProxies);

impl<'de> Deserialize<'de> for Proxies {
    fn deserialize<De: Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
        let network = |text: &String| {
            // Everybody, and IPv4 addresses with lengths of IPv6, are slips.
            let is_slip = text.ends_with("/0") || text.starts_with("::ffff:") && text.contains('/');
            let network = Network::parse(text).filter(|_| !is_slip);
            let problem = "is neither an address nor a network of proxies such as 10.0.0.0/28";
            network.ok_or_else(|| De::Error::custom(format!("`{text}` {problem}")))
        };
        let texts = Vec::<String>::deserialize(deserializer)?;
        let networks = texts.iter().map(network).collect::<Result<_, De::Error>>()?;
        Ok(Self(TrustedProxies::new(networks)))
    }
}

/// Nothing, or a path as clients send it: another one would never match, and every request be refused.
fn path_prefix<'de, De: Deserializer<'de>>(deserializer: De) -> Result<String, De::Error> {
    let prefix = String::deserialize(deserializer)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    if prefix.is_empty() || prefix.starts_with('/') && !prefix.ends_with('/') && prefix.bytes().all(is_plain)
    {
        return Ok(prefix);
    }
    let problem =
        "is no path such as /kms: it begins with /, does not end with one, and has A-Z a-z 0-9 / - . _ ~";
    Err(De::Error::custom(format!("`{prefix}` {problem}")))
}

pub(super) const SECTION: Section = Section {
    name: "http",
    comment: "The API.",
    settings: &[
        Setting {
            name: "listen",
            default: D::Is("\"127.0.0.1:5670\""),
            comment: "Address, or list of addresses, to listen on. Port 0 takes a free one and prints it.",
        },
        Setting {
            name: "allow_plain_http",
            default: D::Is("false"),
            comment: "Lets addresses other than loopback be served without TLS: for a proxy in front that has it.",
        },
        Setting {
            name: "tls_certificate",
            default: D::Unset("\"/etc/trent/tls/chain.pem\""),
            comment: "PEM file with the certificate chain; with it, all of `listen` is HTTPS.",
        },
        Setting {
            name: "tls_key",
            default: D::Unset("\"/etc/trent/tls/key.pem\""),
            comment: "PEM file with the private key of the certificate.",
        },
        Setting {
            name: "client_ca",
            default: D::Unset("\"/etc/trent/tls/clients.pem\""),
            comment: "PEM file with the certificates that those of clients chain to; with it, clients may show one. The\n\
                      identity file says for whom they speak.",
        },
        Setting {
            name: "client_certificates",
            default: D::Is("\"optional\""),
            comment: "\"required\" lets nobody connect without one.",
        },
        Setting {
            name: "path_prefix",
            default: D::Is("\"\""),
            comment: "A path before that of the API, such as \"/kms\". Clients sign it.",
        },
        Setting {
            name: "trusted_proxies",
            default: D::Is("[]"),
            comment: "Addresses, or networks such as \"10.0.0.0/8\", of the proxies in front. What they say in `X-Forwarded-For`\n\
                      is the address of the client, for `aws:SourceIp` and the audit trail. Without it they are not to be\n\
                      told from their clients; whoever else sends the header is not heard.",
        },
        Setting {
            name: "threads",
            default: D::Is("0"),
            comment: "Threads that serve requests; 0 is one for each processor.",
        },
        Setting {
            name: "drain_seconds",
            default: D::Is("30"),
            comment: "How long requests in flight may take after SIGTERM.",
        },
        Setting {
            name: "handshake_seconds",
            default: D::Is("10"),
            comment: "How long a TLS handshake may take.",
        },
        Setting {
            name: "header_seconds",
            default: D::Is("10"),
            comment: "How long the head of a request may take, from first byte to last.",
        },
        Setting {
            name: "request_seconds",
            default: D::Is("30"),
            comment: "How long a request may take from the end of its head to the answer.",
        },
        Setting {
            name: "idle_seconds",
            default: D::Is("120"),
            comment: "How long a connection may lie idle.",
        },
        Setting { name: "body_bytes_max", default: D::Is("1048576"), comment: "Largest body of a request." },
        Setting {
            name: "bodies_bytes_max",
            default: D::Is("268435456"),
            comment: "Bytes of large bodies in memory at one time, over all connections.",
        },
        Setting { name: "connections_max", default: D::Is("20000"), comment: "Connections at one time." },
        Setting {
            name: "connections_per_source_max",
            default: D::Is("0"),
            comment: "Connections at one time from one address; 0 is no limit.",
        },
        Setting {
            name: "header_bytes_max",
            default: D::Is("32768"),
            comment: "Largest head of a request, in bytes.",
        },
        Setting { name: "headers_max", default: D::Is("100"), comment: "Most header lines of a request." },
        Setting {
            name: "http2_streams_max",
            default: D::Is("128"),
            comment: "Requests at one time on one HTTP/2 connection.",
        },
        Setting {
            name: "http2_pending_resets_max",
            default: D::Is("20"),
            comment: "Streams that a client has reset and the server has not yet seen to; one more ends the connection.",
        },
        Setting {
            name: "http2_errors_max",
            default: D::Is("128"),
            comment: "Streams that the server had to reset on one connection; one more ends it.",
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_limits_are_those_of_the_server() {
        let (ours, theirs) = (HttpSection::default().limits(), Limits::default());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }

    #[test]
    fn one_address_or_a_list_is_taken() {
        let one: HttpSection = toml::from_str("listen = '0.0.0.0:1'").unwrap();
        let more: HttpSection = toml::from_str("listen = ['0.0.0.0:1', '[::1]:2']").unwrap();
        assert_eq!((one.listen.0.len(), more.listen.0.len()), (1, 2));
        assert!(toml::from_str::<HttpSection>("listen = []").is_err());
        assert!(toml::from_str::<HttpSection>("listen = 'localhost'").is_err());
    }

    #[test]
    fn trusted_proxies_are_addresses_and_networks() {
        let proxies = |text: &str| toml::from_str::<HttpSection>(&format!("trusted_proxies = [{text}]"));
        let read = proxies("'10.0.0.1', '192.168.0.0/16', 'fd00::/8'").unwrap().trusted_proxies;
        let networks = ["10.0.0.1", "192.168.0.0/16", "fd00::/8"].map(|text| Network::parse(text).unwrap());
        assert_eq!(read, Proxies(TrustedProxies::new(networks.to_vec())));
        for wrong in [
            "'0.0.0.0/0'",
            "'::/0'",
            "'::ffff:10.0.0.0/8'",
            "'10.0.0.0/33'",
            "'proxy.example.com'",
            "'10.0.0.1:80'",
            "''",
            "10",
        ] {
            assert!(proxies(wrong).is_err(), "{wrong}");
        }
        let told = proxies("'10.0.0.0/33'").unwrap_err();
        assert!(told.message().contains("`10.0.0.0/33` is neither an address nor a network"), "{told}");
    }

    #[test]
    fn a_path_prefix_that_would_never_match_is_refused() {
        let prefix = |text: &str| toml::from_str::<HttpSection>(&format!("path_prefix = '{text}'"));
        for fine in ["", "/kms", "/a/b-c"] {
            assert_eq!(prefix(fine).unwrap().path_prefix, fine);
        }
        for wrong in ["kms", "/", "/kms/", "/a b", "/kms?x", "http://host/kms"] {
            assert!(prefix(wrong).is_err(), "{wrong}");
        }
    }
}
