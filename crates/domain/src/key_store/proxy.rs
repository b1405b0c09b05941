//! The proxy of an external key store: where it is, how it is reached, and which stores may share it.

use serde::{Deserialize, Serialize};
use trent_protocol::XksProxyConnectivity;

use super::KeyStore;
use crate::identifier::AccountId;
use crate::time::Timestamp;

const SCHEME: &str = "https://";
/// What every path ends with; what stands before it is the customer's.
const API: &str = "/kms/xks/v";
/// Characters of a host name (RFC 1035, section 2.3.4).
const HOST_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// An external key store proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// `https://` and the host, as it was given.
    pub endpoint: Endpoint,
    /// The path, which ends with `/kms/xks/v1`.
    pub path: String,
    /// How it is reached.
    pub reach: Reach,
    /// What requests are signed with.
    pub credential: Credential,
}

/// How a proxy is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// At its public name.
    Public,
    /// Through an endpoint service that the operator has registered.
    VpcEndpointService {
        /// The name of the service.
        name: String,
        /// The account that owns the service.
        owner: AccountId,
    },
}

impl Reach {
    /// The kind of connectivity as the API names it.
    pub const fn connectivity(&self) -> XksProxyConnectivity {
        match self {
            Self::Public => XksProxyConnectivity::PublicEndpoint,
            Self::VpcEndpointService { .. } => XksProxyConnectivity::VpcEndpointService,
        }
    }
}

/// What requests to a proxy are signed with, but for its secret half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The access key id.
    pub access_key_id: String,
    /// When it was set: what tells its age.
    pub set: Timestamp,
}

/// The endpoint of a proxy: `https://` and a fully qualified name, without a port or a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Endpoint(String);

/// An endpoint or a path that no proxy can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The host is an address, or no name of a host.
    #[error("XksProxyUriEndpoint must be https:// followed by a fully qualified domain name")]
    Host,
    /// The path asks for a version of the API that does not exist.
    #[error("XksProxyUriPath must end with /kms/xks/v1")]
    Version,
}

impl Endpoint {
    /// Reads an endpoint.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let host = text.strip_prefix(SCHEME).ok_or(EndpointError::Host)?;
        let is_label = |label: &str| {
            let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            (1..=LABEL_MAX).contains(&label.len())
                && inner
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // No top-level domain is a number, so this also tells names from addresses.
        let named =
            host.rsplit('.').next().is_some_and(|top| top.bytes().any(|byte| byte.is_ascii_alphabetic()));
        let qualified = host.len() <= HOST_MAX && host.contains('.') && host.split('.').all(is_label);
        if qualified && named { Ok(Self(text.to_owned())) } else { Err(EndpointError::Host) }
    }

    /// The endpoint as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the host.
    pub fn host(&self) -> &str {
        self.0.strip_prefix(SCHEME).unwrap_or(&self.0)
    }

    fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

/// What a proxy cannot have, because the proxy of another store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Taken {
    /// Endpoint and path together.
    #[error("The external key store proxy URI is already in use by another custom key store.")]
    Uri,
    /// The endpoint.
    #[error("The external key store proxy endpoint is already in use by another custom key store.")]
    Endpoint,
    /// The endpoint service.
    #[error("The VPC endpoint service is already in use by another custom key store.")]
    Service,
}

impl Proxy {
    /// Whether a path that fits the model's pattern asks for the version of the API that there is.
    ///
    /// The customer's prefix may contain what looks like the end of a path, so the last one counts.
    pub fn check_path(path: &str) -> Result<(), EndpointError> {
        match path.rsplit_once(API) {
            Some((_, "1")) => Ok(()),
            _ => Err(EndpointError::Version),
        }
    }

    /// What this proxy, for a store of `account`, shares with the store `other` of the same Region although it may not.
    pub fn taken(&self, account: AccountId, other: &KeyStore) -> Option<Taken> {
        let theirs = other.proxy()?;
        let same_endpoint = self.endpoint.is(&theirs.endpoint);
        let same_account = account == other.account;
        if same_account && same_endpoint && self.path == theirs.path {
            return Some(Taken::Uri);
        }
        match (&self.reach, &theirs.reach) {
            (Reach::Public, Reach::Public) => None,
            // Whose account it is does not matter: one name cannot be reached in two ways.
            (Reach::Public, Reach::VpcEndpointService { .. })
            | (Reach::VpcEndpointService { .. }, Reach::Public) => same_endpoint.then_some(Taken::Endpoint),
            (Reach::VpcEndpointService { name, .. }, Reach::VpcEndpointService { name: their_name, .. }) => {
                if same_account && same_endpoint {
                    Some(Taken::Endpoint)
                } else {
                    (name == their_name).then_some(Taken::Service)
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Backing, Connection, KeyStoreId};
    use super::*;

    pub(crate) fn store() -> KeyStore {
        KeyStore {
            id: KeyStoreId::generate([0; 9]),
            account: "111122223333".parse().unwrap(),
            region: "eu-central-1".parse().unwrap(),
            name: "store".to_owned(),
            created: Timestamp::from_millis(1),
            backing: Backing::External(proxy("https://a.example.com", "/one/kms/xks/v1", Reach::Public)),
            sealed_secret: vec![1],
            connection: Connection::Disconnected,
            attempt: 0,
            version: 1,
        }
    }

    fn proxy(endpoint: &str, path: &str, reach: Reach) -> Proxy {
        let credential =
            Credential { access_key_id: "ABCDEFGHIJKLMNOPQRST".to_owned(), set: Timestamp::from_millis(1) };
        Proxy { endpoint: Endpoint::parse(endpoint).unwrap(), path: path.to_owned(), reach, credential }
    }

    fn service(name: &str) -> Reach {
        Reach::VpcEndpointService { name: name.to_owned(), owner: "111122223333".parse().unwrap() }
    }

    #[test]
    fn endpoints_name_a_host() {
        let endpoint = Endpoint::parse("https://Proxy-1.Example.com").unwrap();
        assert_eq!(
            (endpoint.as_str(), endpoint.host()),
            ("https://Proxy-1.Example.com", "Proxy-1.Example.com")
        );
        for wrong in [
            "http://a.example.com",
            "https://localhost",
            "https://10.0.0.1",
            "https://1.2.3.4.5",
            "https://a..example.com",
            "https://.example.com",
            "https://example.com.",
            "https://-a.example.com",
            "https://a-.example.com",
            "https://a.example.com:443",
            "https://a.example.com/",
            "https://[::1].com",
        ] {
            assert_eq!(Endpoint::parse(wrong), Err(EndpointError::Host), "{wrong}");
        }
        let long = format!("https://{}.com", "a".repeat(64));
        assert_eq!(Endpoint::parse(&long), Err(EndpointError::Host));
    }

    #[test]
    fn paths_end_with_the_one_version_there_is() {
        for right in ["/kms/xks/v1", "/a/kms/xks/v1", "/kms/xks/v1/kms/xks/v1", "/kms/xks/v9/kms/xks/v1"] {
            assert_eq!(Proxy::check_path(right), Ok(()), "{right}");
        }
        for wrong in ["/kms/xks/v0", "/kms/xks/v2", "/kms/xks/v10", "/kms/xks/v01", "/kms/xks/v1/kms/xks/v2"]
        {
            assert_eq!(Proxy::check_path(wrong), Err(EndpointError::Version), "{wrong}");
        }
    }

    #[test]
    fn stores_share_what_they_may_share() {
        let [ours, theirs] = ["111122223333", "444455556666"].map(|id| id.parse::<AccountId>().unwrap());
        let [a, b] = ["https://a.example.com", "https://b.example.com"];
        let [one, two] = ["/one/kms/xks/v1", "/two/kms/xks/v1"];
        let [s, t] = [
            service("com.amazonaws.vpce.eu-central-1.vpce-svc-1"),
            service("com.amazonaws.vpce.eu-central-1.vpce-svc-2"),
        ];
        let public = Reach::Public;
        let cases = [
            ((a, one, &public), (ours, a, one, &public), Some(Taken::Uri)),
            ((a, two, &public), (ours, a, one, &public), None),
            (("https://A.example.com", one, &public), (ours, a, one, &public), Some(Taken::Uri)),
            ((a, "/One/kms/xks/v1", &public), (ours, a, one, &public), None),
            ((a, one, &public), (theirs, a, one, &public), None),
            ((a, two, &public), (ours, a, one, &s), Some(Taken::Endpoint)),
            ((a, two, &public), (theirs, a, one, &s), Some(Taken::Endpoint)),
            ((a, two, &s), (ours, a, one, &public), Some(Taken::Endpoint)),
            ((a, two, &s), (theirs, a, one, &public), Some(Taken::Endpoint)),
            ((a, two, &t), (ours, a, one, &s), Some(Taken::Endpoint)),
            ((a, two, &t), (theirs, a, one, &s), None),
            ((b, two, &s), (ours, a, one, &s), Some(Taken::Service)),
            ((b, two, &s), (theirs, a, one, &s), Some(Taken::Service)),
            ((b, two, &t), (ours, a, one, &s), None),
        ];
        for ((endpoint, path, reach), (account, their_endpoint, their_path, their_reach), expected) in cases {
            let backing = Backing::External(proxy(their_endpoint, their_path, their_reach.clone()));
            let other = KeyStore { account, backing, ..store() };
            let new = proxy(endpoint, path, reach.clone());
            assert_eq!(new.taken(ours, &other), expected, "{new:?} beside {other:?}");
        }
    }
}
