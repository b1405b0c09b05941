//! The operations listener.

use trent_server::Settings;

use crate::support::{Response, Running, connect, exchange, loopback, plain};

fn start() -> Running {
    Running::start(Settings { operations: Some(loopback()), ..plain() })
}

fn get(running: &Running, path: &str) -> Response {
    let mut stream = connect(running.server.operations_address().unwrap());
    exchange(&mut stream, format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes())
}

#[test]
fn it_is_alive_and_ready() {
    let running = start();
    assert_eq!(get(&running, "/healthz").text(), "ok\n");
    assert_eq!(get(&running, "/readyz").text(), "ready\n");
    assert_eq!(get(&running, "/").status, 404);
    let mut stream = connect(running.server.operations_address().unwrap());
    let post = exchange(&mut stream, b"POST /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(post.status, 405);
}

#[test]
fn metrics_are_text_that_parses() {
    let running = start();
    running.metrics.register(|registry| {
        let gauge: prometheus_client::metrics::gauge::Gauge = Default::default();
        registry.register("of_another_crate", "Registered by another crate", gauge);
    });
    for _ in 0..3 {
        assert_eq!(running.ask(&running.request("ListKeys", "{}")).status, 200);
    }
    assert_eq!(running.ask(&running.request("Encrypt", "{}")).status, 400);
    let answer = get(&running, "/metrics");
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("trent_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    for line in [
        r#"trent_requests_total{operation="ListKeys",code="OK"} 3"#,
        r#"trent_requests_total{operation="Encrypt",code="ValidationException"} 1"#,
        r#"trent_request_seconds_count{operation="ListKeys"} 3"#,
        "trent_of_another_crate 0",
        "trent_connections_accepted_total 4",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\nis not in\n{text}");
    }
}
