//! GetHealthStatus.

use serde_json::{Value, json};
use trent_xks::response::Health;
use trent_xks::{Api, ErrorName, Route};

use super::{VALIDATION, demand};
use crate::bench::{Bench, is_error, success};
use crate::body::{self, with};
use crate::report::{Found, Suite};

pub(crate) async fn run(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    suite.group("GetHealthStatus");
    let complete = demand(
        "GetHealthStatus",
        "status 200 with xksProxyFleetSize above 0, xksProxyVendor, xksProxyModel, ekmVendor, and 1 to 10 ekmFleetDetails \
         of id, model and healthStatus (ACTIVE, DEGRADED or UNAVAILABLE)",
    );
    for operation in
        ["CreateCustomKeyStore", "ConnectCustomKeyStore", "UpdateCustomKeyStore", "KmsHealthCheck"]
    {
        let found = health(bench, &body::health(operation)).await.map(drop);
        suite.must(format!("it answers, for {operation}"), complete, found);
    }
    let serving = health(bench, &body::health("KmsHealthCheck")).await;
    let found = serving.and_then(|health| match health.is_serving() {
        true => Ok(()),
        false => Err("all instances are UNAVAILABLE".to_owned()),
    });
    suite.must("somebody serves", demand("GetHealthStatus", "an instance that is ACTIVE or DEGRADED"), found);
    let newer = with(body::health("FutureOperation"), "/requestMetadata/futureMember", json!([1]));
    let newer = with(newer, "/futureMember", json!({}));
    let found = health(bench, &newer).await.map(drop);
    let ignored = demand("API", "unknown operations and members are passed over: KMS may add some");
    suite.must("an unknown operation and unknown members are passed over", ignored, found);
    for (check, body) in [
        ("without requestMetadata", json!({})),
        ("with empty requestMetadata", json!({"requestMetadata": {}})),
    ] {
        let reply = bench.ask(&path(bench), &body).await;
        let found = is_error(reply, Api::Health, ErrorName::ValidationException);
        suite.must(format!("{check} it is refused"), VALIDATION, found);
    }
    let reply = bench.ask_signed(&bench.signing(), &path(bench), b"no JSON".to_vec(), None).await;
    let found: Found = is_error(reply, Api::Health, ErrorName::ValidationException);
    suite.must("what is no JSON is refused", VALIDATION, found);
}

fn path(bench: &Bench<'_>) -> String {
    Route::of_health(&bench.plan.configuration.uri_path)
}

async fn health(bench: &Bench<'_>, body: &Value) -> Result<Health, String> {
    let reply = bench.ask(&path(bench), body).await?;
    Health::parse(success(&reply)?).map_err(|error| error.to_string())
}
