//! The conformance tester of external key store proxies: `trent xks check`.
//!
//! It asks a proxy everything that KMS may ask it, and much that KMS never does, and says of each answer whether the
//! specification of the proxy API (version 1) allows it. The categories are those of the public test client, with the
//! cases it lacks.
//!
//! Not here: printing. A report is data; the command line makes a table of it.
//!
//! Invariants: a failed check says what was found, what the specification demands, and where; nothing of the secret is
//! in a report; no key is changed by a proxy that keeps to the API.

mod bench;
mod body;
mod cases;
mod old_tls;
mod plan;
mod report;

pub use plan::{Keys, Plan};
pub use report::{Latency, Outcome, Report, Verdict};

use bench::Bench;
use report::Suite;

/// Runs all checks; `tell` learns of each as it is done.
pub async fn run(plan: &Plan, tell: &mut (dyn FnMut(&Outcome) + Send)) -> Report {
    let mut suite = Suite::new(tell);
    let bench = Bench::new(plan);
    cases::transport::run(&bench, &mut suite).await;
    if suite.is_hopeless() {
        // Without a connection all else would fail for the same reason.
        return suite.into_report(&bench);
    }
    cases::authentication::run(&bench, &mut suite).await;
    cases::health::run(&bench, &mut suite).await;
    cases::metadata::run(&bench, &mut suite).await;
    cases::encrypt::run(&bench, &mut suite).await;
    cases::decrypt::run(&bench, &mut suite).await;
    cases::keys::run(&bench, &mut suite).await;
    cases::kms::run(&bench, &mut suite).await;
    suite.into_report(&bench)
}
