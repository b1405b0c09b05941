//! What happens around every operation: the context is made, the handler runs, its answer is given back.
//!
//! The caller's request quota and the audit event will be this file's too.

use std::future::Future;

use trent_protocol::{ErrorCode, Operation, Request};

use crate::context::{Call, Context};
use crate::error::KmsError;
use crate::open::Service;

/// A request that its operation can answer.
pub trait Handle: Request + Send {
    /// Answers the request.
    fn handle(self, ctx: &Context<'_>) -> impl Future<Output = Result<Self::Response, KmsError>> + Send;
}

/// Runs one request through its operation.
pub async fn run<R: Handle>(service: &Service, request: R, call: &Call<'_>) -> Result<R::Response, KmsError> {
    let ctx = Context { service, call, now: service.now() };
    request.handle(&ctx).await
}

/// The answer of an operation that trent does not have yet. Which these are stands in the list of known gaps.
pub fn unsupported(operation: Operation) -> KmsError {
    KmsError::new(
        ErrorCode::UnsupportedOperation,
        format!("{operation} is not supported by this version of trent."),
    )
}
