//! Signatures, credentials and paths, for every API.

use serde_json::Value;
use trent_xks::{Api, ErrorName, Route};
use trent_xks_client::Reply;

use super::{AUTHENTICATION, URI_PATH, demand};
use crate::bench::{Bench, Signing, is_error, success};
use crate::body;
use crate::report::{Found, Suite};

/// A well-formed request for an API.
fn good(api: Api) -> Value {
    match api {
        Api::Health => body::health("KmsHealthCheck"),
        Api::Metadata => body::key_metadata("CreateKey"),
        Api::Encrypt => body::encrypt(b"trent", None, false),
        Api::Decrypt => {
            let nothing = trent_xks::response::Encrypted {
                ciphertext: vec![0; 5],
                iv: vec![0; 12],
                tag: [0; 16],
                metadata: None,
                integrity: None,
            };
            body::decrypt(&nothing, None)
        }
    }
}

pub(crate) async fn run(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    suite.group("authentication");
    for api in Api::ALL {
        strangers(bench, suite, api).await;
    }
    dates(bench, suite).await;
    scopes(bench, suite).await;
    others(bench, suite).await;
}

async fn ask(bench: &Bench<'_>, signing: &Signing<'_>, api: Api) -> Result<Reply, String> {
    bench.ask_signed(signing, &bench.path(api), good(api).to_string().into_bytes(), None).await
}

async fn strangers(bench: &Bench<'_>, suite: &mut Suite<'_>, api: Api) {
    let name = api.name();
    let wrong_secret: Vec<u8> = bench.signing().secret.iter().rev().copied().collect();
    let unknown = Signing { access_key_id: "AAAAAAAAAAAAAAAAAAAAAAAAAA", ..bench.signing() };
    let wrong = Signing { secret: &wrong_secret, ..bench.signing() };
    let unsigned = Signing { access_key_id: "", ..bench.signing() };
    for (check, signing) in [
        ("an unknown access key id", unknown),
        ("a wrong secret", wrong),
        ("no `Authorization` header", unsigned),
    ] {
        let found = is_error(ask(bench, &signing, api).await, api, ErrorName::AuthenticationFailedException);
        suite.must(format!("{name} with {check} is refused"), AUTHENTICATION, found);
    }
    let path = bench.path(api);
    let (prefix, rest) = path.split_once("/kms/xks/v1").unwrap_or((&path, ""));
    let elsewhere = format!("{prefix}/invalid/kms/xks/v1{rest}");
    let reply = bench.ask(&elsewhere, &good(api)).await;
    let found = is_error(reply, api, ErrorName::InvalidUriPathException);
    suite.must(format!("{name} under an unknown prefix is refused"), URI_PATH, found);
}

async fn dates(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let api = Api::Health;
    for (check, ahead) in [("6 minutes old", -360), ("6 minutes ahead", 360)] {
        let signing = Signing { ahead, ..bench.signing() };
        let found = is_error(ask(bench, &signing, api).await, api, ErrorName::AuthenticationFailedException);
        suite.must(format!("a date {check} is refused"), AUTHENTICATION, found);
    }
    let signing = Signing { ahead: -240, ..bench.signing() };
    let found = answered(ask(bench, &signing, api).await);
    suite.must("a date 4 minutes old is accepted", demand("Authentication", "5 minutes either way"), found);
}

async fn scopes(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let api = Api::Health;
    let region = format!("/{}/", bench.plan.region);
    let day = bench.plan.clock.now().seconds() - 2 * 86_400;
    let day = trent_sigv4::Timestamp::from_epoch_seconds(day);
    let today = trent_sigv4::Timestamp::from_epoch_seconds(bench.plan.clock.now().seconds());
    for (check, signing) in [
        (
            "another Region in the scope than was signed",
            Signing { altered: Some((&region, "/xx-other-9/")), ..bench.signing() },
        ),
        (
            "another service in the scope than was signed",
            Signing { altered: Some(("/kms-xks-proxy/", "/kms/")), ..bench.signing() },
        ),
        (
            "another day in the scope than that of the date",
            Signing { altered: Some((today.date(), day.date())), ..bench.signing() },
        ),
        ("a scope of another service", Signing { service: "kms", ..bench.signing() }),
    ] {
        let found = is_error(ask(bench, &signing, api).await, api, ErrorName::AuthenticationFailedException);
        suite.must(format!("{check} is refused"), AUTHENTICATION, found);
    }
    let signed = good(Api::Encrypt).to_string().into_bytes();
    let sent = body::encrypt(b"tremt", None, false).to_string().into_bytes();
    let path = bench.path(Api::Encrypt);
    let reply = bench.ask_signed(&bench.signing(), &path, signed, Some(sent)).await;
    let found = is_error(reply, Api::Encrypt, ErrorName::AuthenticationFailedException);
    suite.must("a body that was changed after signing is refused", AUTHENTICATION, found);
    let signing = Signing { content_type: true, ..bench.signing() };
    let list =
        demand("Authentication", "the list of signed headers is taken from the `Authorization` header");
    let found = answered(ask(bench, &signing, api).await);
    suite.must("`SignedHeaders=content-type;host;x-amz-date` is accepted", list, found);
}

async fn others(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let api = Api::Health;
    let check = "a second credential of the store is accepted";
    match &bench.plan.second {
        Some(second) => {
            let found = answered(ask(bench, &bench.signing_with(&second.credential), api).await);
            let demand = demand("Authentication", "at least two credentials valid at once, for rotation");
            suite.must(check, demand, found);
        }
        None => suite.skip(check, "--second-configuration names one"),
    }
    let check = "the credential of another store is refused";
    match &bench.plan.other_store {
        Some(other) => {
            let reply = ask(bench, &bench.signing_with(&other.credential), api).await;
            let found = is_error(reply, api, ErrorName::AuthenticationFailedException);
            suite.must(check, AUTHENTICATION, found);
            let path = Route::of_health(&other.uri_path);
            let signing = bench.signing_with(&other.credential);
            let reply = bench.ask_signed(&signing, &path, good(api).to_string().into_bytes(), None).await;
            let demand = demand("Authentication", "each path prefix has credentials of its own");
            suite.must("and accepted there", demand, answered(reply));
        }
        None => suite.skip(check, "--other-configuration names one"),
    }
}

fn answered(reply: Result<Reply, String>) -> Found {
    success(&reply?).map(drop)
}
