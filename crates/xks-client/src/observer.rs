//! Who learns what comes of calls: metrics.

use std::time::Duration;

use trent_crypto::certificate::Certificate;
use trent_xks::Api;
use trent_xks::response::Health;

use crate::failure::Failure;

/// What came of a call.
#[derive(Debug, Clone, Copy)]
pub struct CallOutcome<'a> {
    /// The call.
    pub api: Api,
    /// What the caller asked of KMS.
    pub kms_operation: &'a str,
    /// From the first attempt to the end of the last; nothing where the proxy was not asked at all.
    pub took: Option<Duration>,
    /// What was wrong, if anything.
    pub failure: Option<&'a Failure>,
}

/// Learns what comes of calls. Must be quick.
pub trait Observer: Send + Sync {
    /// A call has ended.
    fn called(&self, outcome: &CallOutcome<'_>);

    /// A call was not made, since there have been as many in this second as there may be.
    fn throttled(&self, kms_operation: &str);

    /// The certificate of the proxy, on whose connection a call was made.
    fn certified(&self, certificate: &Certificate);

    /// How the proxy says that it is, whether or not that is well.
    fn told(&self, health: &Health);
}
