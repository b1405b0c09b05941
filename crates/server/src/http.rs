//! The API over HTTP: from a request's head to its answer, in the order in which checks are made.
//!
//! Path and method, size of the body, target; then who sent it; then the operation. Nothing is parsed for
//! strangers but the head.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request, header};
use hyper::body::Incoming;
use tokio::time::Instant;
use trent_audit::{Client, Recorder, Refused, Tls};
use trent_domain::time::{Clock, Timestamp};
use trent_protocol::Operation;
use trent_service::{Call, Connection, Endpoint as PrivateEndpoint, Exchange, Service, Spoken};
use uuid::Uuid;

use crate::authenticate::{
    Authenticated, Authenticator, Credentials, SignedFor, claimed_access_key, claimed_region,
};
use crate::body::{Bodies, Body};
use crate::date::Dates;
use crate::dispatch::dispatch;
use crate::endpoint::{Answer, EncryptedWith, Endpoint, Origin};
use crate::faults::Faults;
use crate::forwarded::TrustedProxies;
use crate::guard::{Failure, guarded};
use crate::limits::Limits;
use crate::metrics::{ConnectionMetrics, DoingLabel, Ended, Metrics, Shard};
use crate::request_ids::RequestIds;
use crate::respond::{Refusal, Stamp, respond};
use crate::sts;

/// What the endpoints of all cores share.
pub(crate) struct Api {
    pub(crate) service: Arc<Service>,
    /// What signatures and `Date` go by.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) faults: Option<Arc<Faults>>,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) bodies: Arc<Bodies>,
    pub(crate) limits: Limits,
    /// Without a slash at its end; mostly empty.
    pub(crate) path_prefix: String,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) metrics: Metrics,
}

/// The API, on one core.
pub(crate) struct Kms {
    pub(crate) api: Arc<Api>,
    pub(crate) authenticator: Authenticator,
    dates: Dates,
    request_ids: RequestIds,
    pub(crate) recorder: Recorder,
    shard: Arc<Shard>,
}

impl Kms {
    pub(crate) fn new(api: &Arc<Api>) -> Self {
        Self {
            authenticator: Authenticator::new(&api.credentials),
            dates: Dates::new(),
            request_ids: RequestIds::default(),
            recorder: api.service.trail().recorder(),
            shard: api.metrics.requests.shard(),
            api: Arc::clone(api),
        }
    }
}

/// One request on its way.
pub(crate) struct Progress {
    pub(crate) started: Instant,
    pub(crate) now: Timestamp,
    pub(crate) request_id: Uuid,
    /// The address of the client, which a proxy may have told.
    pub(crate) source: IpAddr,
    /// Known once the head was understood.
    operation: Option<Operation>,
    /// What is asked of STS, known once the form was read.
    pub(crate) sts: Option<&'static str>,
}

impl Endpoint for Kms {
    async fn answer(&self, request: Request<Incoming>, origin: &Origin) -> Answer {
        let service = &*self.api.service;
        let mut exchange = Progress {
            started: Instant::now(),
            now: self.api.clock.now(),
            request_id: self.request_ids.next(service),
            source: self.api.trusted_proxies.client(origin.source, request.headers()),
            operation: None,
            sts: None,
        };
        let version = request.version();
        if sts::is_meant_by(&request) {
            let stamp = Stamp { request_id: exchange.request_id, date: self.dates.at(exchange.now), version };
            return self.answer_sts(request, origin, &mut exchange, stamp).await;
        }
        let outcome = self.outcome(request, origin, &mut exchange).await;
        self.record(&outcome, &exchange);
        let stamp = Stamp { request_id: exchange.request_id, date: self.dates.at(exchange.now), version };
        respond(outcome, stamp)
    }

    fn idle(&self) -> impl Fn() + Send + Sync + 'static {
        self.recorder.idle()
    }
}

impl Kms {
    async fn outcome(
        &self,
        request: Request<Incoming>,
        origin: &Origin,
        exchange: &mut Progress,
    ) -> Result<Vec<u8>, Refusal> {
        let (head, body) = request.into_parts();
        self.check_route(&head)?;
        let deadline = exchange.started + self.api.limits.request;
        let body = match guarded(deadline, self.api.bodies.read(body)).await {
            Ok(body) => body.map_err(Refusal::Body)?,
            Err(_) => return Err(Refusal::SlowBody),
        };
        let operation = operation(&head)?;
        exchange.operation = Some(operation);
        let through = self.api.service.endpoint(origin.endpoint.as_deref())?;
        let call = self.call(&head, &body, (origin, through.as_deref()), exchange)?;
        let service = &*self.api.service;
        let recorded = Exchange::begin(
            service,
            &self.recorder,
            operation,
            &call,
            client(&head, origin, exchange.source),
        )?;
        let admitted = match recorded.admit() {
            Ok(()) => self.meet_faults(operation, &body, &call, deadline).await,
            Err(throttled) => Err(throttled.into()),
        };
        let outcome = match admitted {
            Ok(()) => guarded(deadline, dispatch(service, operation, &body.bytes, &call, recorded.event()))
                .await
                .map_err(Refusal::Failure)
                .and_then(|answer| Ok(answer?)),
            struck => struck.map(|()| Vec::new()),
        };
        let error = outcome.as_ref().err().and_then(Refusal::told);
        // Outside of the guard: what was done is recorded, however long it took.
        recorded.finish(error.as_ref().map(|(code, text)| (*code, text.as_deref()))).await?;
        outcome
    }

    async fn meet_faults(
        &self,
        operation: Operation,
        body: &Body,
        call: &Call<'_>,
        deadline: Instant,
    ) -> Result<(), Refusal> {
        let Some(faults) = &self.api.faults else { return Ok(()) };
        // Boxed, so that it is no part of every connection.
        let met = Box::pin(faults.meet(operation, &body.bytes, call, &self.api.service));
        guarded(deadline, met).await.map_err(Refusal::Failure)?
    }

    fn check_route(&self, head: &Parts) -> Result<(), Refusal> {
        // Over HTTP/1 hyper has counted them. Over HTTP/2 a byte is enough for a line that was sent before, and it would
        // take a hundred times that in memory until the body has come.
        if head.headers.len() > self.api.limits.headers_max {
            return Err(Refusal::Headers);
        }
        let path = head.uri.path().strip_prefix(&*self.api.path_prefix).ok_or(Refusal::Path)?;
        if !matches!(path, "" | "/") {
            return Err(Refusal::Path);
        }
        match head.method {
            Method::POST => Ok(()),
            _ => Err(Refusal::Method),
        }
    }

    fn call<'h>(
        &self,
        head: &'h Parts,
        body: &Body,
        (origin, through): (&Origin, Option<&'h PrivateEndpoint>),
        exchange: &Progress,
    ) -> Result<Call<'h>, Refusal> {
        let authenticated = self.authenticator.authenticate(
            head,
            &body.bytes,
            origin,
            exchange.now,
            &self.api.service,
            SignedFor::Kms,
        );
        let Authenticated { identity, region } =
            authenticated.inspect_err(|error| self.record_refused(head, origin, exchange, error.code()))?;
        let connection = connection(head, (origin, exchange.source), through);
        let (caller, standing) = match &identity.service {
            None => (Arc::clone(&identity.caller), Arc::clone(&identity.standing)),
            Some(_) => self.api.service.spoken_for(&identity, spoken(head), region)?,
        };
        Ok(Call { caller, standing, region, request_id: exchange.request_id, connection })
    }

    pub(crate) fn record_refused(&self, head: &Parts, origin: &Origin, exchange: &Progress, code: &str) {
        if !self.recorder.is_on() {
            return;
        }
        let access_key_id = claimed_access_key(head);
        let refused = Refused {
            operation: exchange.operation,
            sts: exchange.sts,
            access_key_id: access_key_id.as_deref(),
            region: claimed_region(head),
            request_id: exchange.request_id,
            at: exchange.now,
            client: client(head, origin, exchange.source),
            code,
            unrecorded: 0,
        };
        self.recorder.refused(refused, self.api.service.new_event_id());
    }

    fn record(&self, outcome: &Result<Vec<u8>, Refusal>, exchange: &Progress) {
        let ended = outcome.as_ref().map_or_else(Refusal::ended, |_| Ended::Success);
        let took = exchange.started.elapsed();
        self.shard.record(exchange.operation, ended, took);
        if let Err(refusal) = outcome {
            count_timeout(refusal, &self.api.metrics.connections);
        }
        let (operation, request_id) = (exchange.operation, exchange.request_id);
        tracing::debug!(?operation, ?ended, %request_id, ?took, "request");
    }
}

/// What a service says of whom it calls for. That these headers are signed is among the rules of signatures.
fn spoken(head: &Parts) -> Spoken<'_> {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    Spoken {
        on_behalf_of: text("x-trent-on-behalf-of"),
        source_arn: text("x-trent-source-arn"),
        source_account: text("x-trent-source-account"),
    }
}

/// How a request came, as policies may ask.
pub(crate) fn connection<'h>(
    head: &'h Parts,
    (origin, source): (&Origin, IpAddr),
    through: Option<&'h PrivateEndpoint>,
) -> Connection<'h> {
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    Connection {
        source: Some(source),
        tls: origin.tls.is_some(),
        user_agent: text(header::USER_AGENT),
        referer: text(header::REFERER),
        endpoint: through,
    }
}

fn count_timeout(refusal: &Refusal, metrics: &ConnectionMetrics) {
    match refusal {
        Refusal::SlowBody => metrics.timed_out(DoingLabel::Body),
        Refusal::Failure(Failure::Deadline) => metrics.timed_out(DoingLabel::Request),
        _ => {}
    }
}

/// What the record of a request tells of its client.
pub(crate) fn client<'h>(head: &'h Parts, origin: &'h Origin, source: IpAddr) -> Client<'h> {
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let host = || head.uri.authority().map(http::uri::Authority::as_str).or_else(|| text(header::HOST));
    let tls = |tls: EncryptedWith| Tls {
        version: tls.version,
        cipher: tls.cipher,
        key_exchange: tls.key_exchange,
        host: host(),
    };
    Client {
        source: Some(source),
        user_agent: text(header::USER_AGENT),
        tls: origin.tls.map(tls),
        endpoint: origin.endpoint.as_deref(),
    }
}

/// The operation that the head names.
fn operation(head: &Parts) -> Result<Operation, Refusal> {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let target = text("x-amz-target").and_then(Operation::from_target);
    let is_json = text(header::CONTENT_TYPE.as_str()).is_some_and(|kind| contains_json(kind.as_bytes()));
    target.filter(|_| is_json).ok_or(Refusal::UnknownOperation)
}

/// SDKs send `application/x-amz-json-1.1`, plain clients `application/json`, either with parameters.
fn contains_json(content_type: &[u8]) -> bool {
    content_type.windows(4).any(|window| window.eq_ignore_ascii_case(b"json"))
}
