//! Who sent this request, and for which Region: from the signature, with the access keys of the service.
//!
//! The checks and their order are those of `trent_sigv4`; here are the two that need to know who there is, and
//! the signing keys that were derived before, a set for each core.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use http::request::Parts;
use http::{Version, header};
use trent_domain::identifier::Region;
use trent_domain::identity::{Caller, is_access_key_id};
use trent_domain::time::Timestamp;
use trent_service::{Service, SessionError, SigningIdentity};
use trent_sigv4::{
    Claim, Headers, Lookup, Request, Rules, SignatureError, SigningKey, SigningKeys, body_sha256,
};

use crate::endpoint::Origin;
use crate::unsigned::{Shown, bearer};

/// Whom the server believes.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Who signs with an access key of the service.
    Signed(Signatures),
    /// Everybody, taken for this caller: for `trent dev --any-credentials`. The Region is that of the credential
    /// scope if there is one, else `us-east-1`.
    Any(Arc<Caller>),
}

impl Default for Credentials {
    fn default() -> Self {
        Self::Signed(Signatures::default())
    }
}

/// What is asked of signatures.
#[derive(Debug, Clone)]
pub struct Signatures {
    /// The Regions that requests may be signed for; `None` is every well-formed name.
    pub regions: Option<Vec<Region>>,
    /// How far a request's date may lie from now, in seconds.
    pub skew_seconds: u32,
    /// Whether a wrong signature is answered with what should have been signed, for people who write clients.
    /// `None`: on listeners that only this machine reaches.
    pub echo_canonical: Option<bool>,
    /// Whether API tokens are taken in place of signatures.
    pub api_tokens: bool,
}

impl Default for Signatures {
    fn default() -> Self {
        Self { regions: None, skew_seconds: 300, echo_canonical: None, api_tokens: false }
    }
}

impl Signatures {
    fn echoes(&self, origin: &Origin) -> bool {
        self.echo_canonical.unwrap_or(origin.on_loopback)
    }
}

/// The Region of requests that name none, where that is allowed.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";
/// Signing keys kept for each core.
const SIGNING_KEYS_MAX: usize = 4096;
/// The same for access keys that do not exist.
const STRANGERS_MAX: usize = 256;

/// Who sent a request, and for which Region.
pub(crate) struct Authenticated {
    pub(crate) identity: Arc<SigningIdentity>,
    pub(crate) region: Region,
}

/// The service that a signature has to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignedFor {
    Kms,
    Sts,
}

impl SignedFor {
    const fn name(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::Sts => "sts",
        }
    }
}

/// Authenticates the requests of one core.
pub(crate) struct Authenticator {
    credentials: Arc<Credentials>,
    keys: SigningKeys,
    /// The identity that an access key stood for when its signing keys were derived. Weak, so that the secret of
    /// one that has gone is wiped; its address is not used again as long as this is here.
    identities: Mutex<HashMap<Box<str>, Weak<SigningIdentity>>>,
    strangers: SigningKeys,
}

impl Authenticator {
    pub(crate) fn new(credentials: &Arc<Credentials>) -> Self {
        Self {
            credentials: Arc::clone(credentials),
            keys: SigningKeys::new(SIGNING_KEYS_MAX),
            identities: Mutex::default(),
            strangers: SigningKeys::new(STRANGERS_MAX),
        }
    }

    /// Who sent a request, and for which Region.
    pub(crate) fn authenticate(
        &self,
        head: &Parts,
        body: &[u8],
        origin: &Origin,
        now: Timestamp,
        service: &Service,
        signed_for: SignedFor,
    ) -> Result<Authenticated, SignatureError> {
        match &*self.credentials {
            Credentials::Any(caller) => {
                let region = claimed_region(head).or_else(|| DEFAULT_REGION.parse().ok());
                let region = region.ok_or(SignatureError::NotSigned)?;
                Ok(Authenticated {
                    identity: Arc::new(SigningIdentity::unsigned(Arc::clone(caller))),
                    region,
                })
            }
            Credentials::Signed(signatures) => {
                // Where neither is configured, nothing is looked for.
                if (signatures.api_tokens || origin.client.is_some())
                    && signed_for == SignedFor::Kms
                    && let Some(shown) = Shown::of(head, origin, signatures)
                {
                    return shown.authenticate(head, signatures, service, now);
                }
                let headers = Wire::of(head);
                let body_sha256 = body_sha256(body);
                let read = |echo| read(head, &headers, body_sha256, now, signatures, signed_for, echo);
                let claim = read(false)?;
                let identity = match self.verify(&claim, service) {
                    // What should have been signed is written out for those who see it, not for every request.
                    Err(SignatureError::Mismatch(_)) if signatures.echoes(origin) => {
                        self.verify(&read(true)?, service)
                    }
                    verified => verified,
                }?;
                // The rules of the signature let only well-formed Regions through.
                let region = claim.region().parse().map_err(|_| SignatureError::UnknownAccessKey)?;
                Ok(Authenticated { identity, region })
            }
        }
    }

    fn verify(&self, claim: &Claim<'_>, service: &Service) -> Result<Arc<SigningIdentity>, SignatureError> {
        let id = claim.access_key_id();
        let found = match claim.session_token() {
            None => service.access_key(id).ok_or(SignatureError::UnknownAccessKey),
            Some(token) => service.session(id, token).map_err(|error| match error {
                SessionError::Invalid => SignatureError::InvalidToken,
                SessionError::Expired => SignatureError::ExpiredToken,
            }),
        };
        let identity = found.inspect_err(|_| self.take_as_long(claim))?;
        self.forget_if_changed(id, &identity);
        claim.verify(&signing_key(&self.keys, claim, identity.secret())).map(|()| identity)
    }

    /// Does for an unknown access key what is done for a known one, so that the time it takes does not tell them
    /// apart.
    fn take_as_long(&self, claim: &Claim<'_>) {
        const NO_SECRET: [u8; 40] = [0x5a; 40];
        let key = signing_key(&self.strangers, claim, &NO_SECRET);
        // Whoever signs with that secret is no less unknown.
        let _ = claim.verify(&key);
    }

    /// Drops signing keys whose access key has another secret now, or belongs to somebody else.
    fn forget_if_changed(&self, access_key_id: &str, identity: &Arc<SigningIdentity>) {
        let mut identities = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        match identities.get_mut(access_key_id) {
            Some(known) if std::ptr::eq(known.as_ptr(), Arc::as_ptr(identity)) => {}
            Some(known) => {
                *known = Arc::downgrade(identity);
                self.keys.forget(access_key_id);
            }
            None => {
                if identities.len() >= SIGNING_KEYS_MAX {
                    for id in identities.drain().map(|(id, _)| id) {
                        self.keys.forget(&id);
                    }
                }
                identities.insert(access_key_id.into(), Arc::downgrade(identity));
            }
        }
    }
}

fn signing_key(keys: &SigningKeys, claim: &Claim<'_>, secret: &[u8]) -> Arc<SigningKey> {
    match keys.look_up(claim.scope()) {
        Lookup::Found(key) => key,
        Lookup::Absent(vacancy) => vacancy.fill(secret),
    }
}

fn read<'h>(
    head: &'h Parts,
    headers: &'h Wire<'h>,
    body_sha256: [u8; 32],
    now: Timestamp,
    signatures: &Signatures,
    signed_for: SignedFor,
    echo_canonical: bool,
) -> Result<Claim<'h>, SignatureError> {
    let regions = |name: &str| match (name.parse::<Region>(), &signatures.regions) {
        (Ok(region), Some(allowed)) => allowed.contains(&region),
        (region, _) => region.is_ok(),
    };
    let rules = Rules {
        regions: &regions,
        skew_seconds: signatures.skew_seconds,
        echo_canonical,
        ..Rules::new(signed_for.name())
    };
    let request = Request {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers,
        body_sha256,
    };
    trent_sigv4::read(&request, now.seconds(), &rules)
}

/// The headers of a request as its signature sees them: over HTTP/2, `host` is what `:authority` says, and a
/// header of that name beside it is not believed.
///
/// In a row, since a signature is checked by looking through them a dozen times.
pub(crate) struct Wire<'h>(Vec<(&'h str, &'h [u8])>);

impl<'h> Wire<'h> {
    pub(crate) fn of(head: &'h Parts) -> Self {
        let authority = head.uri.authority().filter(|_| head.version == Version::HTTP_2);
        let lines = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let mut all = Vec::with_capacity(head.headers.len() + 1);
        match authority {
            None => all.extend(lines),
            Some(authority) => {
                all.push((header::HOST.as_str(), authority.as_str().as_bytes()));
                all.extend(lines.filter(|(name, _)| *name != header::HOST.as_str()));
            }
        }
        Self(all)
    }
}

impl Headers for Wire<'_> {
    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().copied()
    }
}

/// The Region of the credential scope, whatever else of the signature is missing or wrong.
pub(crate) fn claimed_region(head: &Parts) -> Option<Region> {
    claimed_credential(head)?.split('/').nth(2)?.parse().ok()
}

/// The access key or the API token that the request names, if it has the form of one.
pub(crate) fn claimed_access_key(head: &Parts) -> Option<String> {
    let authorization = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let id = match authorization.and_then(bearer) {
        Some(token) => token.split('.').next().map(str::to_owned),
        None => claimed_credential(head)?.split('/').next().map(str::to_owned),
    };
    id.filter(|id| is_access_key_id(id))
}

fn claimed_credential(head: &Parts) -> Option<String> {
    Some(match head.headers.get(header::AUTHORIZATION) {
        Some(value) => {
            value.to_str().ok()?.split_once("Credential=")?.1.split(',').next()?.replace("%2F", "/")
        }
        None => head.uri.query()?.split_once("X-Amz-Credential=")?.1.split('&').next()?.replace("%2F", "/"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Parts {
        build(http::Request::builder()).body(()).unwrap().into_parts().0
    }

    #[test]
    fn over_http2_the_authority_is_the_host() {
        let head = head(|request| {
            request
                .version(Version::HTTP_2)
                .uri("https://kms.test:5670/")
                .header("host", "forged")
                .header("a", "1")
        });
        let wire = Wire::of(&head);
        assert_eq!(wire.iter().collect::<Vec<_>>(), [("host", &b"kms.test:5670"[..]), ("a", &b"1"[..])]);
    }

    #[test]
    fn over_http1_the_host_is_the_header() {
        let head = head(|request| request.uri("http://absolute/").header("host", "kms.test"));
        assert_eq!(Wire::of(&head).iter().collect::<Vec<_>>(), [("host", &b"kms.test"[..])]);
    }

    #[test]
    fn a_region_is_read_from_any_scope() {
        let region = |head: &Parts| claimed_region(head).map(|region| region.to_string());
        let scope = "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/kms/aws4_request, Signature=no";
        assert_eq!(region(&head(|request| request.header("authorization", scope))).unwrap(), "eu-west-1");
        let query = "/?X-Amz-Credential=x%2F20260101%2Fus-west-2%2Fkms%2Faws4_request&a=b";
        assert_eq!(region(&head(|request| request.uri(query))).unwrap(), "us-west-2");
        for other in ["Bearer token", "Credential=", "AWS4-HMAC-SHA256 Credential=x/y/NOT_ONE/kms/z"] {
            assert_eq!(region(&head(|request| request.header("authorization", other))), None);
        }
    }
}
