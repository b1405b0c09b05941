//! When a key was last used, and by which request.

use trent_protocol::TrackedOperation;
use uuid::Uuid;

use crate::time::Timestamp;

/// The last successful cryptographic operation on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUsage {
    /// The operation.
    pub operation: TrackedOperation,
    /// When it happened.
    pub at: Timestamp,
    /// The request id that its answer carried.
    pub request_id: Uuid,
    /// The id of its audit event.
    pub event_id: Uuid,
}
