//! The calls of the API: signed, timed, tried once more after a time-out, and read as strictly as KMS does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use trent_crypto::SecretBytes;
use trent_domain::quota::{Bucket, Rate};
use trent_domain::time::Clock;
use trent_sigv4::{Credentials, Request, body_sha256, sign};
use trent_xks::request::{Decrypt, Encrypt, Plain, RequestMetadata};
use trent_xks::response::{Decrypted, Encrypted, Health, KeyMetadata};
use trent_xks::{Api, Credential, ErrorBody, ExternalKeyId, Malformed, Route, SERVICE, UriPath};

use crate::breaker::Breaker;
use crate::failure::Failure;
use crate::observer::{CallOutcome, Observer};
use crate::wire::{Message, Reply, Target, Wire, WireError};

/// A key store at its proxy.
#[derive(Debug)]
pub struct Endpoint {
    /// The path of the store.
    pub uri_path: UriPath,
    /// The Region that KMS calls from.
    pub region: String,
    /// By what the proxy knows KMS.
    pub credential: Credential,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// For one attempt: connection, TLS and HTTP together. KMS: 250 ms.
    pub attempt: Duration,
    /// How often a time-out is tried again. KMS: once.
    pub retries: u32,
    /// How many calls that encrypt or decrypt may be made in a second; any number, if nothing. KMS: 1800.
    pub rate: Option<Rate>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { attempt: Duration::from_millis(250), retries: 1, rate: None }
    }
}

/// The client of one key store.
pub struct Client {
    endpoint: Endpoint,
    host: String,
    wire: Wire,
    breaker: Breaker,
    quota: Bucket,
    settings: Settings,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
}

impl Client {
    /// A client that has no connection yet.
    #[must_use]
    pub fn new(
        endpoint: Endpoint,
        target: Target,
        settings: Settings,
        clock: Arc<dyn Clock>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        let (host, wire, breaker) = (target.host.clone(), Wire::new(target), Breaker::default());
        Self { endpoint, host, wire, breaker, quota: Bucket::default(), settings, clock, observer }
    }

    /// GetHealthStatus. Succeeds when somebody serves. Nobody is behind it, so that nobody is told of.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn health(&self, kms_operation: &str, kms_request_id: &str) -> Result<Health, Failure> {
        let metadata = &RequestMetadata {
            kms_operation: kms_operation.to_owned(),
            kms_request_id: kms_request_id.to_owned(),
            ..RequestMetadata::default()
        };
        let path = Route::of_health(&self.endpoint.uri_path);
        let body = Plain { request_metadata: metadata }.to_json();
        self.call(Api::Health, &path, body, metadata, |body| {
            let health = Health::parse(body)?;
            if let Some(observer) = &self.observer {
                observer.told(&health);
            }
            Ok(if health.is_serving() { Ok(health) } else { Err(Failure::Unhealthy) })
        })
        .await?
    }

    /// GetKeyMetadata.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn key_metadata(
        &self,
        key: &ExternalKeyId,
        metadata: &RequestMetadata,
    ) -> Result<KeyMetadata, Failure> {
        let path = Route::of_key(&self.endpoint.uri_path, key, Api::Metadata);
        let body = Plain { request_metadata: metadata }.to_json();
        self.call(Api::Metadata, &path, body, metadata, KeyMetadata::parse).await
    }

    /// Encrypt. Lengths, and the integrity value if one was asked for, are verified.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn encrypt(&self, key: &ExternalKeyId, request: &Encrypt) -> Result<Encrypted, Failure> {
        let path = Route::of_key(&self.endpoint.uri_path, key, Api::Encrypt);
        let read = |body: &[u8]| Encrypted::parse(body, request);
        self.call(Api::Encrypt, &path, request.to_json(), &request.metadata, read).await
    }

    /// Decrypt.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn decrypt(&self, key: &ExternalKeyId, request: &Decrypt) -> Result<SecretBytes, Failure> {
        let path = Route::of_key(&self.endpoint.uri_path, key, Api::Decrypt);
        let read = |body: &[u8]| Decrypted::parse(body, request.ciphertext.len());
        let decrypted = self.call(Api::Decrypt, &path, request.to_json(), &request.metadata, read).await;
        decrypted.map(|decrypted| decrypted.plaintext)
    }

    async fn call<T>(
        &self,
        api: Api,
        path: &str,
        body: Vec<u8>,
        metadata: &RequestMetadata,
        read: impl FnOnce(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, Failure> {
        self.take(api, metadata)?;
        let (replied, took) = match self.breaker.admit() {
            Ok(()) => {
                let started = Instant::now();
                let replied = self.attempts(path, &Bytes::from(body)).await;
                let was_asked = !matches!(replied, Err(Failure::Busy));
                (replied, was_asked.then(|| started.elapsed()))
            }
            Err(failure) => (Err(failure), None),
        };
        let result = replied.and_then(|reply| accept(api, &reply, read));
        let failure = result.as_ref().err();
        if let Some(failure) = failure {
            tracing::warn!(
                host = self.host,
                api = api.name(),
                kms_request_id = metadata.kms_request_id,
                kind = failure.kind().name(),
                detail = ?cut(failure.detail()),
                "a call to an external key store proxy failed"
            );
        }
        if let Some(observer) = &self.observer {
            observer.called(&CallOutcome { api, kms_operation: &metadata.kms_operation, took, failure });
            if let Some(certificate) = self.wire.peer().and_then(|peer| peer.certificate) {
                observer.certified(&certificate);
            }
        }
        result
    }

    /// Takes a call out of the quota. Those that are not about a message are not in it.
    fn take(&self, api: Api, metadata: &RequestMetadata) -> Result<(), Failure> {
        match self.settings.rate {
            Some(rate)
                if matches!(api, Api::Encrypt | Api::Decrypt) && !self.quota.take(rate, self.clock.now()) =>
            {
                if let Some(observer) = &self.observer {
                    observer.throttled(&metadata.kms_operation);
                }
                Err(Failure::OverQuota)
            }
            _ => Ok(()),
        }
    }

    /// Asks, the breaker having let it, and once more after a time-out.
    async fn attempts(&self, path: &str, body: &Bytes) -> Result<Reply, Failure> {
        let mut retries = self.settings.retries;
        loop {
            match self.attempt(path, body).await {
                Ok(reply) => {
                    self.breaker.answered();
                    return Ok(reply);
                }
                Err(error) => {
                    // A connection that was refused is not tried again.
                    let timed_out = matches!(error, WireError::Timeout | WireError::ConnectTimeout);
                    let failure = Failure::from(error);
                    if failure.is_of_transport() {
                        self.breaker.failed(&failure);
                    } else if !matches!(failure, Failure::Busy) {
                        // Somebody is there, who does not speak HTTP.
                        self.breaker.answered();
                    }
                    if retries == 0 || !timed_out {
                        return Err(failure);
                    }
                    retries -= 1;
                    self.breaker.admit()?;
                }
            }
        }
    }

    async fn attempt(&self, path: &str, body: &Bytes) -> Result<Reply, WireError> {
        let host = [("host", self.host.as_bytes())];
        let request =
            Request { method: "POST", path, query: "", headers: &host[..], body_sha256: body_sha256(body) };
        let credential = &self.endpoint.credential;
        let credentials = Credentials {
            access_key_id: credential.access_key_id.as_str(),
            secret_access_key: credential.secret.expose(),
            session_token: None,
            region: &self.endpoint.region,
            service: SERVICE,
        };
        let signed = sign(&request, &credentials, self.clock.now().seconds())
            .map_err(|error| WireError::Broken(format!("the request cannot be signed: {error}")))?;
        let headers = [
            ("content-type", "application/json"),
            ("authorization", signed.authorization.as_str()),
            ("x-amz-date", signed.x_amz_date.as_str()),
        ];
        let message = Message { method: "POST", path, headers: &headers, body: body.clone() };
        self.wire.send(&message, self.settings.attempt).await
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Unreachable(why) => Self::Unreachable(why),
            WireError::ConnectTimeout | WireError::Cut(_) => Self::Unreachable(error.to_string()),
            WireError::Tls(why) => Self::Tls(why),
            WireError::Timeout => Self::Timeout,
            WireError::Broken(why) => Self::Malformed(why),
            WireError::Busy => Self::Busy,
        }
    }
}

/// As much of what a proxy says as is logged of each call.
fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(500).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}

/// What KMS takes for an answer.
fn accept<T>(
    api: Api,
    reply: &Reply,
    read: impl FnOnce(&[u8]) -> Result<T, Malformed>,
) -> Result<T, Failure> {
    let malformed = |what: &str| Failure::Malformed(format!("status {}: {what}", reply.status));
    let kind = reply.content_type.as_deref().unwrap_or_default();
    let is_json =
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(malformed("the content type is not `application/json`"));
    }
    match reply.status {
        200 => read(&reply.body).map_err(|error| malformed(&error.to_string())),
        // The name decides, whatever status it came with; but nothing that points elsewhere is followed or believed.
        status if !(300..400).contains(&status) => match ErrorBody::parse(&reply.body, api) {
            Ok(error) => Err(Failure::Proxy(error.name, error.message)),
            Err(error) => Err(malformed(&error.to_string())),
        },
        _ => Err(malformed("redirects are not followed")),
    }
}
