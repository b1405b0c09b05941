//! Callers that cannot sign: who shows an API token, or a certificate when the connection is made.
//!
//! A token is what a session is, kept by the server: it ends with its user or role, and when sessions of the role are
//! revoked. What is remembered of it is its hash, so that nobody who reads the database or the memory of this process
//! can use it. A certificate was verified by the TLS library; here is only for whom its holder speaks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use trent_crypto::certificate::{Certificate, Validity};
use trent_crypto::digest::sha256;
use trent_crypto::{Key256, SecretBytes};
use trent_domain::identifier::Region;
use trent_domain::identity::{ApiToken, Caller, Record, TokenHolder};
use trent_domain::time::Timestamp;
use trent_policy::Standing;

use super::configured::{CertificateMark, ConfiguredCertificate};
use super::directory::{Directory, SigningIdentity};
use super::session::{Contents, Holder, SessionError};

/// Who is called by a token or a certificate, and the Region of requests that name none.
pub type Shown = (Arc<SigningIdentity>, Region);

/// Tokens by id, certificates by what they are known by.
#[derive(Default)]
pub(crate) struct Unsigned {
    tokens: HashMap<String, Token>,
    certificates: HashMap<CertificateMark, Shown>,
}

struct Token {
    /// Of the whole token. It compares in constant time.
    sha256: Key256,
    expires: Timestamp,
    shown: Shown,
}

/// The certificate that a client has shown.
#[derive(Debug)]
pub struct ClientCertificate {
    /// What it may be known by, in the order in which that counts.
    marks: Vec<CertificateMark>,
    validity: Validity,
}

impl ClientCertificate {
    /// Reads a certificate from its DER.
    pub fn read(der: &[u8]) -> Option<Self> {
        let Certificate { validity, subject, names, .. } = Certificate::read(der)?;
        let fingerprint = CertificateMark::Fingerprint(trent_audit::hex(&sha256(&[der])));
        let names = names.into_iter().map(CertificateMark::Name);
        let subject = Some(subject).filter(|subject| !subject.is_empty()).map(CertificateMark::Subject);
        let marks = [fingerprint].into_iter().chain(names).chain(subject).collect();
        Some(Self { marks, validity })
    }
}

impl fmt::Display for CertificateMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(digits) => write!(f, "sha256:{digits}"),
            Self::Name(name) => f.write_str(name),
            Self::Subject(subject) => write!(f, "subject:{subject}"),
        }
    }
}

impl Unsigned {
    /// Those of everybody who is there. What speaks for somebody who is gone or disabled is left out.
    pub(super) fn of(
        directory: &Directory,
        records: &[Record],
        certificates: &[ConfiguredCertificate],
    ) -> Self {
        let tokens = records.iter().filter_map(|record| match record {
            Record::ApiToken(token) => Some((token.id.clone(), directory.token(token)?)),
            _ => None,
        });
        let certificates = certificates.iter().filter_map(|configured| {
            let shown = directory.certificate_holder(configured);
            if shown.is_none() {
                let principal = &*configured.principal;
                tracing::warn!(principal, "nobody of this name: the certificate means nothing");
            }
            Some((configured.mark.clone(), shown?))
        });
        Self { tokens: tokens.collect(), certificates: certificates.collect() }
    }
}

impl Directory {
    /// Whose API token this is.
    pub(crate) fn api_token(&self, token: &str, now: Timestamp) -> Result<Shown, SessionError> {
        let nobody = Key256::new([0; 32]);
        let hash = Key256::new(sha256(&[token.as_bytes()]));
        let known = token.split_once('.').and_then(|(id, _)| self.unsigned.tokens.get(id));
        // Compared also where there is none, so that the time it takes does not tell whether an id is there.
        let is_it = *known.map_or(&nobody, |known| &known.sha256) == hash;
        let known = known.filter(|_| is_it).ok_or(SessionError::Invalid)?;
        if known.expires <= now {
            return Err(SessionError::Expired);
        }
        Ok(known.shown.clone())
    }

    /// For whom the holder of a certificate speaks. It is looked at again that its time has not passed, since
    /// connections may last long, and be taken up again.
    pub(crate) fn certificate(
        &self,
        certificate: &ClientCertificate,
        now: Timestamp,
    ) -> Result<Shown, SessionError> {
        let known = |mark| self.unsigned.certificates.get(mark);
        let shown = certificate.marks.iter().find_map(known).ok_or(SessionError::Invalid)?;
        if certificate.validity.until < now.seconds() {
            return Err(SessionError::Expired);
        }
        Ok(shown.clone())
    }

    fn token(&self, token: &ApiToken) -> Option<Token> {
        let holder = match &token.holder {
            TokenHolder::Root => Holder::Root,
            TokenHolder::User(id) => Holder::User(id.clone()),
            TokenHolder::Role(id, session) => Holder::Role(id.clone(), session.clone()),
        };
        let contents = Contents {
            account: token.account,
            holder,
            issued: token.created,
            expires: token.expires,
            policy: None,
            policy_arns: Vec::new(),
            tags: BTreeMap::new(),
            transitive: BTreeSet::new(),
            source_identity: None,
            provider: None,
            claims: BTreeMap::new(),
            mfa: None,
        };
        let (caller, standing) = self.holder(&contents, &token.id).ok()?;
        let sha256 = Key256::new(trent_audit::from_hex(token.sha256.as_bytes())?);
        let identity = unsigned(caller, Arc::new(standing));
        Some(Token { sha256, expires: token.expires, shown: (identity, token.region) })
    }

    fn certificate_holder(&self, configured: &ConfiguredCertificate) -> Option<Shown> {
        let (caller, standing) = self.named(&configured.principal, &configured.mark.to_string())?;
        if !self.is_active(caller.account) {
            return None;
        }
        let organization = self.organization(caller.account);
        Some((unsigned(Caller { organization, ..caller }, standing), configured.region))
    }
}

fn unsigned(caller: Caller, standing: Arc<Standing>) -> Arc<SigningIdentity> {
    Arc::new(SigningIdentity {
        caller: Arc::new(caller),
        standing,
        expires: None,
        transitive: BTreeSet::new(),
        service: None,
        secret: SecretBytes::from(Vec::new()),
    })
}
