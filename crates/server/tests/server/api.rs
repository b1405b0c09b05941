//! The order of checks, and what each answers.

use std::sync::Arc;

use trent_server::{Credentials, Settings, Signatures};
use trent_service::admin::{Command, Reply};

use crate::support::{Draft, Running, plain};

#[test]
fn a_signed_request_is_answered_with_the_headers_of_the_api() {
    let running = Running::start(plain());
    let answer = running.ask(&running.request("GenerateRandom", r#"{"NumberOfBytes":16}"#));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(answer.header("x-amzn-requestid").unwrap().len(), 36);
    assert_eq!(answer.header("cache-control"), Some("no-cache, no-store, must-revalidate, private"));
    assert_eq!(answer.header("content-length").unwrap(), answer.body.len().to_string());
    // The clock of the service, not of the machine.
    assert_eq!(answer.header("date"), Some("Thu, 01 Jan 2026 00:00:00 GMT"));
}

#[test]
fn every_answer_has_a_request_id_of_its_own() {
    let running = Running::start(plain());
    let request = running.request("ListKeys", "{}");
    let ids = [0, 1].map(|_| running.ask(&request).header("x-amzn-requestid").unwrap().to_owned());
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn what_is_not_the_api_is_answered_before_authentication() {
    let running = Running::start(plain());
    for (request, status, code) in [
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", 405, "UnknownOperationException"),
        ("GET /health HTTP/1.1\r\nhost: a\r\n\r\n", 404, "UnknownOperationException"),
        ("POST /kms HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", 404, "UnknownOperationException"),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", 400, "UnknownOperationException"),
        (
            "POST / HTTP/1.1\r\nhost: a\r\nx-amz-target: TrentService.Nothing\r\n\
             content-type: application/x-amz-json-1.1\r\ncontent-length: 2\r\n\r\n{}",
            400,
            "UnknownOperationException",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\nx-amz-target: TrentService.ListKeys\r\ncontent-type: text/plain\r\n\
             content-length: 2\r\n\r\n{}",
            400,
            "UnknownOperationException",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\nX-AMZ-TARGET: TrentService.ListKeys\r\n\
             content-type: application/json; charset=utf-8\r\ncontent-length: 2\r\n\r\n{}",
            400,
            "MissingAuthenticationTokenException",
        ),
    ] {
        let answer = running.ask(request.as_bytes());
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{request}\n{answer:?}");
    }
}

#[test]
fn requests_to_sts_are_told_apart_and_refused_in_xml() {
    let running = Running::start(plain());
    for (request, status, code) in [
        (
            "GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\nhost: a\r\n\r\n",
            403,
            "MissingAuthenticationToken",
        ),
        ("GET /?Action=Nothing&Version=2011-06-15 HTTP/1.1\r\nhost: a\r\n\r\n", 400, "InvalidAction"),
        ("GET /?Action=AssumeRole&Version=1 HTTP/1.1\r\nhost: a\r\n\r\n", 400, "InvalidAction"),
        ("GET /elsewhere?Action=AssumeRole HTTP/1.1\r\nhost: a\r\n\r\n", 404, "InvalidAction"),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 3\r\n\r\na=%",
            400,
            "MalformedInput",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 3\r\n\r\na=b",
            400,
            "MissingAction",
        ),
    ] {
        let answer = running.ask(request.as_bytes());
        let body = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{request}\n{body}");
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{request}\n{body}");
    }
}

#[test]
fn signatures_are_verified() {
    let running = Running::start(plain());
    let code = |draft: Draft<'_>| running.ask(&running.signed(&draft)).code();
    let draft = || Draft::new(&running);
    assert_eq!(code(draft()), "");
    assert_eq!(code(Draft { secret: "wrong", ..draft() }), "InvalidSignatureException");
    assert_eq!(code(Draft { access_key: "AKIANOBODYNOBODYNOBO", ..draft() }), "UnrecognizedClientException");
    assert_eq!(code(Draft { session_token: Some("token"), ..draft() }), "UnrecognizedClientException");
    assert_eq!(code(Draft { seconds_late: -301, ..draft() }), "InvalidSignatureException");
    assert_eq!(code(Draft { seconds_late: 301, ..draft() }), "InvalidSignatureException");
    assert_eq!(code(Draft { seconds_late: -299, ..draft() }), "");
    assert_eq!(code(Draft { service: "s3", ..draft() }), "InvalidSignatureException");
    assert_eq!(code(Draft { region: "us_east_1", ..draft() }), "InvalidSignatureException");
}

#[test]
fn a_changed_body_or_target_is_noticed() {
    let running = Running::start(plain());
    let request = String::from_utf8(running.request("GenerateRandom", r#"{"NumberOfBytes":16}"#)).unwrap();
    for changed in [request.replace(":16}", ":17}"), request.replace(".GenerateRandom", ".ListKeys")] {
        assert_ne!(changed, request);
        assert_eq!(running.ask(changed.as_bytes()).code(), "InvalidSignatureException");
    }
}

#[test]
fn loopback_listeners_tell_what_should_have_been_signed() {
    let running = Running::start(plain());
    let wrong = running.signed(&Draft { secret: "wrong", ..Draft::new(&running) });
    assert!(running.ask(&wrong).message().contains("The String-to-Sign should have been"));
    let silent = Signatures { echo_canonical: Some(false), ..Signatures::default() };
    let running = Running::start(Settings { credentials: Credentials::Signed(silent), ..plain() });
    let wrong = running.signed(&Draft { secret: "wrong", ..Draft::new(&running) });
    assert!(running.ask(&wrong).message().ends_with("for details."));
}

#[test]
fn regions_can_be_limited() {
    let signatures =
        Signatures { regions: Some(vec!["us-east-1".parse().unwrap()]), ..Signatures::default() };
    let running = Running::start(Settings { credentials: Credentials::Signed(signatures), ..plain() });
    let ask = |region| running.ask(&running.signed(&Draft { region, ..Draft::new(&running) }));
    assert_eq!(ask("us-east-1").status, 200);
    assert_eq!(
        ask("eu-west-1").message(),
        "Credential should be scoped to a valid region, not 'eu-west-1'. "
    );
}

#[test]
fn a_disabled_access_key_is_refused_from_then_on() {
    let running = Running::start(plain());
    let request = running.request("ListKeys", "{}");
    assert_eq!(running.ask(&request).status, 200);
    let command = Command::DisableAccessKey { id: running.access_key.clone() };
    assert_eq!(running.runtime.block_on(running.service.administer(command)), Reply::Done);
    assert_eq!(running.ask(&request).code(), "UnrecognizedClientException");
}

#[test]
fn strangers_do_not_reach_the_parser() {
    let running = Running::start(plain());
    let ask = |body: &str, secret: &str| {
        let target = "TrentService.Encrypt";
        running.ask(&running.signed(&Draft { target, body: body.as_bytes(), secret, ..Draft::new(&running) }))
    };
    assert_eq!(ask("{", "wrong").code(), "InvalidSignatureException");
    assert_eq!(ask("{", &running.secret).text(), r#"{"__type":"SerializationException"}"#);
    assert!(ask("{}", &running.secret).message().starts_with("2 validation errors detected: "));
    assert!(ask("", &running.secret).message().starts_with("2 validation errors detected: "));
}

#[test]
fn any_credentials_will_do_where_that_is_asked_for() {
    let caller = Arc::new(trent_domain::identity::Caller::root("111122223333".parse().unwrap(), "test"));
    let running = Running::start(Settings { credentials: Credentials::Any(caller), ..plain() });
    let unsigned = "POST / HTTP/1.1\r\nhost: a\r\nx-amz-target: TrentService.ListKeys\r\n\
                    content-type: application/json\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(running.ask(unsigned.as_bytes()).status, 200);
    let wrong = running.signed(&Draft { access_key: "x", secret: "y", service: "z", ..Draft::new(&running) });
    assert_eq!(running.ask(&wrong).status, 200);
}

#[test]
fn a_path_prefix_is_part_of_what_is_signed() {
    let running = Running::start(Settings { path_prefix: "/kms/".to_owned(), ..plain() });
    let ask = |path| running.ask(&running.signed(&Draft { path, ..Draft::new(&running) }));
    assert_eq!(ask("/kms").status, 200);
    assert_eq!(ask("/kms/").status, 200);
    assert_eq!(ask("/").status, 404);
    assert_eq!(ask("/kmsx").status, 404);
}
