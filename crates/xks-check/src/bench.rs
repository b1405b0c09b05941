//! Asks the proxy: signed as KMS does, or in some way that must not do; and reads what it says.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;
use trent_sigv4::{Credentials, Request, body_sha256, sign};
use trent_xks::response::{Decrypted, Encrypted};
use trent_xks::{Api, Credential, ErrorBody, ErrorName, ExternalKeyId, Route, SERVICE};
use trent_xks_client::{
    ClientCertificate, Message, Reply, Target, TlsError, TlsOptions, Version, Wire, WireError, client_config,
};

use crate::plan::Plan;
use crate::report::Found;

/// A proxy, and how it is asked.
pub(crate) struct Bench<'p> {
    pub(crate) plan: &'p Plan,
    wire: Result<Wire, TlsError>,
}

/// How a request is signed.
pub(crate) struct Signing<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) secret: &'a [u8],
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    /// Seconds that its date is ahead.
    pub(crate) ahead: i64,
    /// Whether the content type is signed too.
    pub(crate) content_type: bool,
    /// What is put in place of what in the header after signing.
    pub(crate) altered: Option<(&'a str, &'a str)>,
}

impl<'p> Bench<'p> {
    pub(crate) fn new(plan: &'p Plan) -> Self {
        let wire = Self::make_wire(plan, &[Version::Tls12, Version::Tls13], true, true);
        Self { plan, wire }
    }

    /// A wire of its own, with the client certificate of the plan or without.
    pub(crate) fn make_wire(
        plan: &Plan,
        versions: &[Version],
        http2: bool,
        with_client: bool,
    ) -> Result<Wire, TlsError> {
        let client = plan.client.as_ref().filter(|_| with_client);
        let client = client.map(|(chain, key)| ClientCertificate { chain: chain.clone(), key: key.clone() });
        Self::wire_with(plan, versions, http2, client)
    }

    pub(crate) fn wire_with(
        plan: &Plan,
        versions: &[Version],
        http2: bool,
        client: Option<ClientCertificate>,
    ) -> Result<Wire, TlsError> {
        let tls = client_config(TlsOptions { roots: &plan.roots, versions, client, http2 })?;
        let (host, network) = (plan.host.clone(), Arc::clone(&plan.network));
        Ok(Wire::new(Target { host, network, tls }))
    }

    pub(crate) fn wire(&self) -> Result<&Wire, String> {
        self.wire.as_ref().map_err(ToString::to_string)
    }

    pub(crate) fn transport(&self) -> String {
        match self.wire.as_ref().ok().and_then(Wire::peer) {
            Some(peer) => {
                format!("{} {} HTTP/{}", peer.tls, peer.suite, if peer.http2 { "2" } else { "1.1" })
            }
            None => String::new(),
        }
    }

    /// As KMS signs.
    pub(crate) fn signing(&self) -> Signing<'_> {
        self.signing_with(&self.plan.configuration.credential)
    }

    pub(crate) fn signing_with<'a>(&'a self, credential: &'a Credential) -> Signing<'a> {
        Signing {
            access_key_id: credential.access_key_id.as_str(),
            secret: credential.secret.expose(),
            region: &self.plan.region,
            service: SERVICE,
            ahead: 0,
            content_type: false,
            altered: None,
        }
    }

    /// The path of a call, with the ordinary key where it takes one.
    pub(crate) fn path(&self, api: Api) -> String {
        self.path_of(&self.plan.keys.ordinary, api)
    }

    pub(crate) fn path_of(&self, key: &ExternalKeyId, api: Api) -> String {
        Route::of_key(&self.plan.configuration.uri_path, key, api)
    }

    /// Asks as KMS does.
    pub(crate) async fn ask(&self, path: &str, body: &Value) -> Result<Reply, String> {
        self.ask_signed(&self.signing(), path, body.to_string().into_bytes(), None).await
    }

    /// Asks with another signature, or another body than the signed one.
    pub(crate) async fn ask_signed(
        &self,
        signing: &Signing<'_>,
        path: &str,
        body: Vec<u8>,
        sent: Option<Vec<u8>>,
    ) -> Result<Reply, String> {
        let sent = Bytes::from(sent.unwrap_or_else(|| body.clone()));
        let reply = self.send(self.wire()?, signing, path, (&body, sent)).await;
        reply.map_err(|error| error.to_string())
    }

    pub(crate) async fn send(
        &self,
        wire: &Wire,
        signing: &Signing<'_>,
        path: &str,
        (signed, sent): (&[u8], Bytes),
    ) -> Result<Reply, WireError> {
        const KIND: &str = "application/json";
        let mut headers = vec![("host", self.plan.host.as_bytes())];
        if signing.content_type {
            headers.push(("content-type", KIND.as_bytes()));
        }
        let request = Request {
            method: "POST",
            path,
            query: "",
            headers: &headers[..],
            body_sha256: body_sha256(signed),
        };
        let credentials = Credentials {
            access_key_id: signing.access_key_id,
            secret_access_key: signing.secret,
            session_token: None,
            region: signing.region,
            service: signing.service,
        };
        let now = self.plan.clock.now().seconds() + signing.ahead;
        let made = sign(&request, &credentials, now)
            .map_err(|error| WireError::Broken(format!("cannot be signed: {error}")))?;
        let authorization = match signing.altered {
            Some((from, to)) => made.authorization.replacen(from, to, 1),
            None => made.authorization,
        };
        let headers = [
            ("content-type", KIND),
            ("authorization", authorization.as_str()),
            ("x-amz-date", made.x_amz_date.as_str()),
        ];
        // Without any credential there is nothing to be signed with.
        let unsigned = &headers[..1];
        let headers = if signing.access_key_id.is_empty() { unsigned } else { &headers[..] };
        let message = Message { method: "POST", path, headers, body: sent };
        wire.send(&message, self.plan.patience).await
    }

    /// Sends something that is no POST.
    pub(crate) async fn get(&self, path: &str) -> Result<Reply, String> {
        let message = Message { method: "GET", path, headers: &[], body: Bytes::new() };
        self.wire()?.send(&message, self.plan.patience).await.map_err(|error| error.to_string())
    }

    /// Encrypts with the ordinary key; what comes must be right in itself.
    pub(crate) async fn encrypt(&self, plaintext: &[u8], aad: Option<&[u8]>) -> Result<Encrypted, String> {
        let reply = self.ask(&self.path(Api::Encrypt), &crate::body::encrypt(plaintext, aad, false)).await?;
        sealed(&reply, plaintext.len())
    }

    /// Decrypts with the ordinary key, by a body that may have been bent.
    pub(crate) async fn decrypt(&self, body: &Value, length: usize) -> Result<Vec<u8>, String> {
        let reply = self.ask(&self.path(Api::Decrypt), body).await?;
        let decrypted = Decrypted::parse(success(&reply)?, length).map_err(|error| error.to_string())?;
        Ok(decrypted.plaintext.expose().clone())
    }

    /// How long an encryption takes, and what comes of it.
    pub(crate) async fn timed_encrypt(&self) -> (Duration, Result<Encrypted, String>) {
        let started = Instant::now();
        let encrypted = self.encrypt(b"trent", Some(b"aad")).await;
        (started.elapsed(), encrypted)
    }
}

/// The body of a success.
pub(crate) fn success(reply: &Reply) -> Result<&[u8], String> {
    is_json(reply)?;
    if reply.status == 200 {
        return Ok(&reply.body);
    }
    Err(shown(reply))
}

/// A ciphertext of a certain length.
pub(crate) fn sealed(reply: &Reply, length: usize) -> Result<Encrypted, String> {
    let encrypted = Encrypted::read(success(reply)?).map_err(|error| error.to_string())?;
    match encrypted.ciphertext.len() {
        found if found == length => Ok(encrypted),
        found => Err(format!("a ciphertext of {found} bytes for a plaintext of {length}")),
    }
}

/// Whether an answer is an error of this name, with its status and a proper body.
pub(crate) fn is_error(reply: Result<Reply, String>, api: Api, expected: ErrorName) -> Found {
    is_one_of(reply, api, &[expected])
}

pub(crate) fn is_one_of(reply: Result<Reply, String>, api: Api, expected: &[ErrorName]) -> Found {
    let reply = reply?;
    is_json(&reply)?;
    let error = ErrorBody::parse(&reply.body, api).map_err(|error| format!("{}, {error}", shown(&reply)))?;
    if !expected.contains(&error.name) {
        return Err(shown(&reply));
    }
    if reply.status != error.name.status() {
        return Err(format!("the name is right, and the status is {}", reply.status));
    }
    let message = error.message.unwrap_or_default();
    let printable = message.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match printable && message.len() < ErrorBody::MESSAGE_BYTES {
        true => Ok(()),
        false => Err("`errorMessage` is not shorter than 512 characters of printable ASCII".to_owned()),
    }
}

fn is_json(reply: &Reply) -> Result<(), String> {
    let kind = reply.content_type.as_deref().unwrap_or_default();
    match kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        true => Ok(()),
        false => Err(format!("{}, content type `{}`", shown(reply), kind.escape_debug())),
    }
}

/// What can be told of an answer; never its body, which may have plaintext in it.
pub(crate) fn shown(reply: &Reply) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        error_name: String,
    }
    let named = serde_json::from_slice::<Named>(&reply.body).ok();
    let named = named.map(|named| named.error_name.chars().take(60).collect::<String>());
    match named {
        Some(name) => format!("status {} with `{}`", reply.status, name.escape_debug()),
        None => format!("status {} without an error name", reply.status),
    }
}
