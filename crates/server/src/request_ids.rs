//! The ids of the requests of one core, drawn many at a time.
//!
//! A call into the generator of random bytes costs far more than the bytes that it gives.

use std::sync::{Mutex, PoisonError};

use trent_service::Service;
use uuid::Uuid;

/// Ids that no request has yet.
#[derive(Default)]
pub(crate) struct RequestIds(Mutex<Vec<Uuid>>);

impl RequestIds {
    /// An id that no request had before.
    pub(crate) fn next(&self, service: &Service) -> Uuid {
        // Taken by one core alone, so never waited for.
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.is_empty() {
            ids.extend(service.new_request_ids());
        }
        ids.pop().unwrap_or_default()
    }
}
