//! From a request to its answer, in the order in which a proxy checks.

use std::sync::Arc;

use tokio::time::Instant;
use trent_domain::quota::Rate;
use trent_sigv4::{Headers, Rules as SignatureRules, SigningKey, body_sha256};
use trent_xks::request::{Decrypt, Encrypt, Plain, RequestMetadata};
use trent_xks::response::{Decrypted, Encrypted, Health};
use trent_xks::{
    AAD_BYTES_MAX, Api, ErrorBody, ErrorName, ExternalKeyId, Malformed, Route, SERVICE, TEXT_BYTES_MAX,
};

use crate::audit::Call;
use crate::manager::{ExternalKey, ManagerError};
use crate::open::Proxy;
use crate::state::Store;

/// A request, complete.
#[derive(Debug)]
pub struct Request<'a, H: ?Sized> {
    /// The method.
    pub method: &'a str,
    /// The path as it was sent.
    pub path: &'a str,
    /// The query string, without `?`.
    pub query: &'a str,
    /// The headers; over HTTP/2 with `host`.
    pub headers: &'a H,
    /// The body, or why there is none.
    pub body: Option<&'a [u8]>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, JSON; empty where the method is wrong.
    pub body: Vec<u8>,
    /// The call that was made, where the path is that of one.
    pub call: Option<Api>,
    /// The error, where it is one that has a name.
    pub error: Option<ErrorName>,
}

/// Why there is no success.
enum Refusal {
    Method,
    Error(ErrorName, Option<String>),
}

impl From<ErrorName> for Refusal {
    fn from(name: ErrorName) -> Self {
        Self::Error(name, None)
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Error(ErrorName::ValidationException, Some(malformed.to_string()))
    }
}

impl From<ManagerError> for Refusal {
    fn from(error: ManagerError) -> Self {
        let name = match error {
            ManagerError::InvalidCiphertext => return ErrorName::InvalidCiphertextException.into(),
            ManagerError::NotFound => return ErrorName::KeyNotFoundException.into(),
            ManagerError::NotPermitted => return ErrorName::InvalidKeyUsageException.into(),
            ManagerError::Timeout => ErrorName::DependencyTimeoutException,
            ManagerError::Busy => ErrorName::ThrottlingException,
            ManagerError::Failed(_) => ErrorName::InternalException,
        };
        Self::Error(name, Some(error.to_string()))
    }
}

impl Proxy {
    /// Answers a request.
    pub async fn answer<H: Headers + Sync + ?Sized>(&self, request: Request<'_, H>) -> Answer {
        let started = Instant::now();
        let mut call = Call::default();
        let outcome = self.outcome(&request, &mut call).await;
        let (answer, logged) = match outcome {
            Ok(body) => (Answer { status: 200, body, call: call.api, error: None }, Some(None)),
            Err(Refusal::Method) => {
                (Answer { status: 405, body: Vec::new(), call: call.api, error: None }, None)
            }
            Err(Refusal::Error(name, message)) => {
                let body = ErrorBody { name, message: message.clone() }.to_json();
                let answer = Answer { status: name.status(), body, call: call.api, error: Some(name) };
                (answer, Some(Some((name, message))))
            }
        };
        if let Some(refused) = logged {
            let refused = refused.as_ref().map(|(name, message)| (*name, message.as_deref()));
            call.log(refused, started.elapsed());
        }
        answer
    }

    async fn outcome<H: Headers + Sync + ?Sized>(
        &self,
        request: &Request<'_, H>,
        call: &mut Call,
    ) -> Result<Vec<u8>, Refusal> {
        let state = self.state.load_full();
        let found = Route::parse(request.path).and_then(|route| Some((state.at(route.store)?, route)));
        let (store, route) = found.ok_or(ErrorName::InvalidUriPathException)?;
        (call.store, call.api, call.key) = (Some(store.name.clone()), Some(route.api), route.key.clone());
        if request.method != "POST" {
            return Err(Refusal::Method);
        }
        let too_large =
            || Refusal::Error(ErrorName::UnsupportedOperationException, Some("the body is too large".into()));
        let body = request.body.ok_or_else(too_large)?;
        self.authenticate(request, body, store, call)?;
        let Some(key) = &route.key else { return self.health(body, store, call).await };
        let rate = Rate::per_second(f64::from(store.record.quota));
        if rate.is_some_and(|rate| !store.bucket.take(rate, self.now())) {
            return Err(ErrorName::ThrottlingException.into());
        }
        self.about_key(store, key, route.api, body, call).await
    }

    fn authenticate<H: Headers + Sync + ?Sized>(
        &self,
        request: &Request<'_, H>,
        body: &[u8],
        store: &Store,
        call: &mut Call,
    ) -> Result<(), Refusal> {
        // KMS sends a content type and does not sign it.
        let rules = SignatureRules { unsigned_allowed: &["content-type"], ..SignatureRules::new(SERVICE) };
        let &Request { method, path, query, headers, .. } = request;
        let signed = trent_sigv4::Request { method, path, query, headers, body_sha256: body_sha256(body) };
        let failed = |why: String| Refusal::Error(ErrorName::AuthenticationFailedException, Some(why));
        let claim = trent_sigv4::read(&signed, self.now().seconds(), &rules)
            .map_err(|error| failed(error.to_string()))?;
        let dated = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-amz-date"));
        if claim.is_presigned() || !dated {
            return Err(failed("the signature must be in the header, with `X-Amz-Date` signed".to_owned()));
        }
        let credential = store.credentials.iter().find(|credential| credential.id == claim.access_key_id());
        // The work is the same for credentials that are not known.
        let key = SigningKey::derive(
            credential.map(|credential| credential.secret.expose().as_slice()).unwrap_or_default(),
            claim.date(),
            claim.region(),
            SERVICE,
        );
        let right = claim.verify(&key).is_ok();
        if credential.is_none() || !right {
            return Err(failed("the credential or the signature is wrong".to_owned()));
        }
        call.access_key_id = Some(claim.access_key_id().to_owned());
        call.region = Some(claim.region().to_owned());
        Ok(())
    }

    async fn health(&self, body: &[u8], store: &Store, call: &mut Call) -> Result<Vec<u8>, Refusal> {
        call.metadata = Some(Plain::parse(body, Api::Health)?);
        let instances = self.manager.health(&store.name).await?;
        let health = Health {
            xks_proxy_fleet_size: 1,
            xks_proxy_vendor: "trent".to_owned(),
            xks_proxy_model: self.model.clone(),
            ekm_vendor: self.manager.vendor().to_owned(),
            ekm_fleet_details: instances,
        };
        Ok(health.to_json())
    }

    async fn about_key(
        &self,
        store: &Store,
        key: &ExternalKeyId,
        api: Api,
        body: &[u8],
        call: &mut Call,
    ) -> Result<Vec<u8>, Refusal> {
        match api {
            Api::Encrypt => {
                let request = Encrypt::parse(body)?;
                let key = self.admitted(store, key, &request.metadata, call)?;
                check_sizes(request.plaintext.expose().len(), request.aad.as_deref())?;
                check_use(&*key, "ENCRYPT")?;
                encrypt(&*key, request).await.map(|encrypted| encrypted.to_json())
            }
            Api::Decrypt => {
                let request = Decrypt::parse(body)?;
                let key = self.admitted(store, key, &request.metadata, call)?;
                check_sizes(request.ciphertext.len(), request.aad.as_deref())?;
                check_use(&*key, "DECRYPT")?;
                Ok(Decrypted { plaintext: key.decrypt(&request).await? }.to_json())
            }
            Api::Health | Api::Metadata => {
                let metadata = Plain::parse(body, api)?;
                let key = self.admitted(store, key, &metadata, call)?;
                key.look().await?;
                Ok(key.facts().to_metadata().to_json())
            }
        }
    }

    /// The key, if this caller may use it.
    fn admitted(
        &self,
        store: &Store,
        key: &ExternalKeyId,
        metadata: &RequestMetadata,
        call: &mut Call,
    ) -> Result<Arc<dyn ExternalKey>, Refusal> {
        call.metadata = Some(metadata.clone());
        let found = self.manager.find(&store.name, key).ok_or(ErrorName::KeyNotFoundException)?;
        let region = call.region.as_deref().unwrap_or_default();
        let of_store = store.record.rules.broken_by(metadata, region).map(|kind| ("store", kind));
        let of_key = || {
            let rules = &store.keys.get(key.as_str())?.record.rules;
            rules.broken_by(metadata, region).map(|kind| ("key", kind))
        };
        call.broken_rule = of_store.or_else(of_key);
        match call.broken_rule {
            Some(_) => Err(ErrorName::AccessDeniedException.into()),
            None => Ok(found),
        }
    }
}

fn check_sizes(text_bytes: usize, aad: Option<&[u8]>) -> Result<(), Refusal> {
    match text_bytes <= TEXT_BYTES_MAX && aad.is_none_or(|aad| aad.len() <= AAD_BYTES_MAX) {
        true => Ok(()),
        false => {
            let limits =
                format!("at most {TEXT_BYTES_MAX} bytes of text and {AAD_BYTES_MAX} of data are supported");
            Err(Refusal::Error(ErrorName::UnsupportedOperationException, Some(limits)))
        }
    }
}

fn check_use(key: &dyn ExternalKey, usage: &str) -> Result<(), Refusal> {
    let facts = key.facts();
    match (facts.enabled, facts.allows(usage)) {
        (false, _) => Err(ErrorName::InvalidStateException.into()),
        (true, false) => Err(ErrorName::InvalidKeyUsageException.into()),
        (true, true) => Ok(()),
    }
}

async fn encrypt(key: &dyn ExternalKey, request: Encrypt) -> Result<Encrypted, Refusal> {
    let Encrypt { plaintext, aad, with_integrity, metadata } = request;
    if with_integrity {
        check_use(key, "DECRYPT")?;
    }
    let mut encrypted = key.encrypt(&plaintext, aad.as_deref().unwrap_or_default()).await?;
    if !with_integrity {
        return Ok(encrypted);
    }
    // The value is taken before the trial: what is altered in between must not go unnoticed.
    encrypted.integrity = Some(encrypted.integrity_value(aad.as_deref()));
    let trial = Decrypt {
        metadata,
        ciphertext: encrypted.ciphertext.clone(),
        iv: encrypted.iv.clone(),
        tag: encrypted.tag,
        aad,
        ciphertext_metadata: encrypted.metadata.clone(),
    };
    let same = key.decrypt(&trial).await.is_ok_and(|decrypted| decrypted == plaintext);
    match same {
        true => Ok(encrypted),
        false => Err(ManagerError::Failed("a ciphertext did not decrypt to its plaintext".to_owned()).into()),
    }
}
