//! Rotation: when a key gets new material, and what is remembered of the old.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trent_protocol::RotationType;

use crate::identifier::MaterialId;
use crate::import::Imported;
use crate::limits::ROTATION_PERIOD_DAYS_DEFAULT;
use crate::time::Timestamp;

/// One material of a key. The last one of a key that does not wait for its rotation is the current one; those before
/// it only decrypt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material {
    /// Its id, a keyed hash of key id and material.
    pub id: MaterialId,
    /// When it was made.
    pub created: Timestamp,
    /// The rotation that made it; absent on the first.
    pub rotation: Option<Rotation>,
    /// The public key as DER SubjectPublicKeyInfo (RFC 5280), of key pairs alone.
    pub public: Option<Arc<[u8]>>,
    /// What imported material has beyond others.
    pub imported: Option<Imported>,
    /// The material itself, sealed under the domain key of account and Region; empty while imported material is gone.
    pub sealed: Vec<u8>,
}

/// A completed rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// When it happened.
    pub at: Timestamp,
    /// What made it happen.
    pub kind: RotationType,
}

/// Automatic rotation of a key that has it enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Days from one rotation to the next.
    pub period_days: u32,
    /// When the next one is due.
    pub next: Timestamp,
}

impl Schedule {
    /// The schedule that EnableKeyRotation starts: the first period is counted from the call.
    pub fn starting(now: Timestamp, period_days: Option<u32>) -> Self {
        let period_days = period_days.unwrap_or(ROTATION_PERIOD_DAYS_DEFAULT);
        Self { period_days, next: now.plus_days(period_days) }
    }

    /// The schedule after a rotation at `now`.
    #[must_use]
    pub fn after_rotation(self, now: Timestamp) -> Self {
        Self { period_days: self.period_days, next: now.plus_days(self.period_days) }
    }
}
