//! What a decision is made from: who calls, what policies say about them, how the request came, what it asks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::AtomicBool;

use trent_domain::encryption_context::EncryptionContext;
use trent_domain::grant::Scope;
use trent_domain::identifier::Region;
use trent_domain::identity::Caller;
use trent_domain::time::Timestamp;
use trent_policy::{Attached, Standing, ValueList};

/// The facts of one request. All of them are borrowed: making them costs nothing.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// Who calls, with a verified signature.
    pub caller: &'a Caller,
    /// The policies that bear on the caller.
    pub standing: &'a Standing,
    /// The Region that the request was signed for.
    pub region: Region,
    /// The grant tokens of the request.
    pub grant_tokens: &'a [String],
    /// When the request is answered.
    pub now: Timestamp,
    /// How it came.
    pub connection: &'a Connection<'a>,
    /// What it asks, as far as policies may set conditions on it.
    pub parameters: Parameters<'a>,
}

/// How a request came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Connection<'a> {
    /// Where from, if that is known.
    pub source: Option<IpAddr>,
    /// Whether it was encrypted on the way.
    pub tls: bool,
    /// What the client calls itself.
    pub user_agent: Option<&'a str>,
    /// What the client says it was referred by.
    pub referer: Option<&'a str>,
    /// The private endpoint that it came through.
    pub endpoint: Option<&'a Endpoint>,
}

/// A private endpoint: a listener for one network, with a policy of its own.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its id, `vpce-…`.
    pub id: String,
    /// The id of the network behind it, `vpc-…`.
    pub network: String,
    /// The account that owns it.
    pub account: Option<String>,
    /// The organization that this account belongs to.
    pub organization: Option<String>,
    /// What may pass through it; without one, everything.
    pub policy: Option<Attached>,
}

/// What a request asks, by the names that condition keys have for it (in lower case, `kms:` left out).
#[derive(Clone, Copy, Default)]
pub struct Parameters<'a> {
    /// Single values: `("signingalgorithm", "ECDSA_SHA_256")`.
    pub values: &'a [(&'static str, &'a str)],
    /// Lists of values: `("grantoperations", &operations)`.
    pub lists: &'a [(&'static str, &'a (dyn ValueList + Sync))],
    /// The encryption context, of operations that have one.
    pub encryption_context: Option<&'a EncryptionContext>,
    /// What a grant is to allow, where one is to be made.
    pub grant: Option<&'a Scope>,
    /// The tags that the request gives.
    pub tags: Option<&'a BTreeMap<String, String>>,
    /// The keys of the tags that the request takes away.
    pub tag_keys: &'a [String],
    /// What is known of the caller by an attestation document.
    pub attested: Attestation<'a>,
}

/// What is known of a caller by an attestation document.
#[derive(Clone, Copy)]
pub enum Attestation<'a> {
    /// What a verified document says: condition keys with their prefix, in lower case, and their values. Callers without
    /// a document have none.
    Verified(&'a [(String, String)]),
    /// There is a document that is not verified yet; here it is noted that a policy asks what it says.
    Unverified(&'a AtomicBool),
}

impl Default for Attestation<'_> {
    fn default() -> Self {
        Self::Verified(&[])
    }
}

impl<'a> Parameters<'a> {
    /// Single values and nothing else.
    pub fn of(values: &'a [(&'static str, &'a str)]) -> Self {
        Self { values, ..Self::default() }
    }

    /// Those of a request that encrypts or decrypts.
    pub fn encryption(values: &'a [(&'static str, &'a str)], context: &'a EncryptionContext) -> Self {
        // A request without a context has no context keys, not an empty list of them.
        let encryption_context = Some(context).filter(|context| !context.is_empty());
        Self { values, encryption_context, ..Self::default() }
    }

    /// The same of a caller of whom a verified document says this.
    #[must_use]
    pub fn of_attested(self, attested: &'a [(String, String)]) -> Self {
        Self { attested: Attestation::Verified(attested), ..self }
    }
}
