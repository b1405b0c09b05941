//! `[xks]`: how the proxies of external key stores are reached.

use std::path::PathBuf;

use serde::Deserialize;
use trent_domain::key_store::EndpointService;

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct XksSection {
    pub(crate) request_timeout_ms: Bounded<10, 60_000>,
    pub(crate) timeout_retries: Bounded<0, 5>,
    pub(crate) requests_per_second: Bounded<0, 1_000_000>,
    pub(crate) health_check_seconds: Bounded<0, 86_400>,
    pub(crate) extra_trust_roots: Vec<PathBuf>,
    pub(crate) replace_trust_roots: bool,
    pub(crate) allow_private_addresses: bool,
    pub(crate) connect_override: Vec<ConnectOverride>,
    pub(crate) client_certificate: Vec<ClientCertificateFiles>,
    pub(crate) vpc_endpoint_service: Vec<EndpointService>,
}

/// Where connections to a host really go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectOverride {
    /// The host, or `*.` and a domain for all hosts one label below it.
    pub(crate) host: String,
    /// `host:port`, tried in this order.
    pub(crate) connect_to: Vec<String>,
}

/// A certificate that is shown to a proxy that asks for one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientCertificateFiles {
    /// The host of the proxy, or `*.` and a domain for all hosts one label below it.
    pub(crate) host: String,
    /// What the path of the key store begins with.
    #[serde(default)]
    pub(crate) uri_path_prefix: String,
    /// PEM, the client's own certificate first.
    pub(crate) certificate: PathBuf,
    /// PEM.
    pub(crate) key: PathBuf,
}

impl Default for XksSection {
    fn default() -> Self {
        Self {
            request_timeout_ms: Bounded::new(250),
            timeout_retries: Bounded::new(1),
            requests_per_second: Bounded::new(1800),
            health_check_seconds: Bounded::new(300),
            extra_trust_roots: Vec::new(),
            replace_trust_roots: false,
            allow_private_addresses: false,
            connect_override: Vec::new(),
            client_certificate: Vec::new(),
            vpc_endpoint_service: Vec::new(),
        }
    }
}

pub(super) const SECTION: Section = Section {
    name: "xks",
    comment: "The proxies of external key stores, as trent reaches them. They are always verified.",
    settings: &[
        Setting {
            name: "request_timeout_ms",
            default: D::Is("250"),
            comment: "Milliseconds for one attempt, connection and answer together: 10 to 60000. AWS: 250.",
        },
        Setting {
            name: "timeout_retries",
            default: D::Is("1"),
            comment: "How often a request that got no answer in time is sent again: 0 to 5. AWS: once.",
        },
        Setting {
            name: "requests_per_second",
            default: D::Is("1800"),
            comment: "Requests to encrypt and decrypt that the proxy of one key store is sent in a second, whoever calls;\n\
                      what is more is a ThrottlingException. 0 for any number. AWS: 1800.",
        },
        Setting {
            name: "health_check_seconds",
            default: D::Is("300"),
            comment: "Seconds between two checks of the health of a connected proxy, for metrics alone: 1 to 86400; 0 for\n\
                      none.",
        },
        Setting {
            name: "extra_trust_roots",
            default: D::Is("[]"),
            comment: "PEM files with roots that proxies are verified by, beside those of the system.",
        },
        Setting {
            name: "replace_trust_roots",
            default: D::Is("false"),
            comment: "Whether those take the place of the system's.",
        },
        Setting {
            name: "allow_private_addresses",
            default: D::Is("false"),
            comment: "Whether the public endpoint of a proxy may be an address of this machine or of a private network.",
        },
        Setting {
            name: "connect_override",
            default: D::Is("[]"),
            comment: "Where connections to a host really go; name, certificate and signature stay those of the host, as\n\
                      with curl's --connect-to: [{ host = \"proxy.example.com\", connect_to = [\"127.0.0.1:8443\"] }].",
        },
        Setting {
            name: "client_certificate",
            default: D::Is("[]"),
            comment: "PEM files with what is shown to proxies that ask for a certificate; the first that fits:\n\
                      [{ host = \"proxy.example.com\", certificate = \"client.pem\", key = \"client.key\" }]. With\n\
                      uri_path_prefix = \"/prod\" it is for the key stores of that path alone.",
        },
        Setting {
            name: "vpc_endpoint_service",
            default: D::Is("[]"),
            comment: "Ways to proxies in private networks, by the name of a VPC endpoint service; the book's page\n\
                      \"Custom key stores\" says what is in one.",
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_and_services_are_tables() {
        let text = r#"
            request_timeout_ms = 1000
            [[connect_override]]
            host = "*.example.com"
            connect_to = ["127.0.0.1:8443"]
            [[vpc_endpoint_service]]
            name = "com.amazonaws.vpce.us-east-1.vpce-svc-0example"
            owner_account = "111122223333"
            load_balancer_type = "network"
            availability_zones = ["us-east-1a", "us-east-1b"]
            private_dns_name = "proxy.xks.example.com"
            domain_verification = "verified"
            allowed_principals = ["cks.kms.us-east-1.amazonaws.com"]
            targets = ["192.0.2.10:8443"]
        "#;
        let section: XksSection = toml::from_str(text).unwrap();
        assert_eq!(section.request_timeout_ms.get(), 1000);
        assert_eq!(section.connect_override[0].connect_to, ["127.0.0.1:8443"]);
        assert_eq!(section.vpc_endpoint_service[0].targets, ["192.0.2.10:8443"]);
        let text =
            "[[client_certificate]]\nhost = \"*.example.com\"\ncertificate = \"a.pem\"\nkey = \"a.key\"";
        let section: XksSection = toml::from_str(text).unwrap();
        assert_eq!(section.client_certificate[0].uri_path_prefix, "");
        assert!(toml::from_str::<XksSection>("request_timeout_ms = 1").is_err());
        assert!(toml::from_str::<XksSection>("[[connect_override]]\nhost = \"a\"").is_err());
    }
}
