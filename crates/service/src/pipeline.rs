//! What happens around every operation: the context is made, the handler runs, its answer is given back, and what was
//! done is recorded before anybody is answered.

use std::future::Future;

use trent_audit::{CallRecord, Client, Event, Recorded, Recorder, Written};
use trent_domain::time::Timestamp;
use trent_protocol::Operation;

use crate::context::{Call, Context};
use crate::error::KmsError;
use crate::open::Service;

/// A request that its operation can answer.
pub trait Handle: Recorded + Send {
    /// Answers the request.
    fn handle(self, ctx: &Context<'_>) -> impl Future<Output = Result<Self::Response, KmsError>> + Send;
}

/// Runs one request through its operation.
pub async fn run<R: Handle>(
    service: &Service,
    request: R,
    call: &Call<'_>,
    event: &Event,
) -> Result<R::Response, KmsError> {
    event.request(&request);
    let quotas = service.quotas.current();
    let ctx = Context { service, call, now: service.now(), event, operation: R::OPERATION, quotas };
    let answer = request.handle(&ctx).await?;
    event.answer::<R>(&answer);
    Ok(answer)
}

/// A call from the moment its caller is known to the moment it may be answered.
///
/// One that ends before, since its client went away or it was cut, is recorded all the same.
#[must_use = "what was done is to be recorded"]
pub struct Exchange<'a> {
    service: &'a Service,
    recorder: &'a Recorder,
    operation: Operation,
    call: &'a Call<'a>,
    client: Client<'a>,
    at: Timestamp,
    event: Event,
    recorded: bool,
}

impl<'a> Exchange<'a> {
    /// Begins a call.
    ///
    /// # Errors
    /// What it does could not be recorded.
    pub fn begin(
        service: &'a Service,
        recorder: &'a Recorder,
        operation: Operation,
        call: &'a Call<'a>,
        client: Client<'a>,
    ) -> Result<Self, KmsError> {
        if !recorder.accepts() {
            return Err(KmsError::unrecordable());
        }
        let event = Event::new(service.new_event_id(), recorder.is_on());
        let at = service.now();
        Ok(Self { service, recorder, operation, call, client, at, event, recorded: false })
    }

    /// Whether the caller may make this request now, by the quotas.
    ///
    /// # Errors
    /// There were too many of late.
    pub fn admit(&self) -> Result<(), KmsError> {
        match self.service.quotas.current() {
            Some(quotas) => quotas.admit(self.operation, self.call, self.at),
            None => Ok(()),
        }
    }

    /// What the operation notes for its record.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Records how the call ended, with code and text of its error. When this is done, it may be answered.
    ///
    /// # Errors
    /// The record could not be written: there is no answer but this error.
    pub async fn finish(mut self, error: Option<(&str, Option<&str>)>) -> Result<(), KmsError> {
        self.record(error).await.map_err(|_| KmsError::unrecordable())
    }

    fn record(&mut self, error: Option<(&str, Option<&str>)>) -> Written {
        self.recorded = true;
        let record = CallRecord {
            operation: self.operation,
            caller: &self.call.caller,
            region: self.call.region,
            request_id: self.call.request_id,
            at: self.at,
            client: self.client,
            error,
        };
        self.recorder.call(&record, &self.event, || self.service.new_event_id())
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if !self.recorded {
            drop(self.record(Some(("Unanswered", Some("The client went away before it was answered.")))));
        }
    }
}
