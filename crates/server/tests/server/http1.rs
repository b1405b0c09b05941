//! HTTP/1.1, and what clients make of it.

use std::io::Write;
use std::time::{Duration, Instant};

use trent_server::Limits;

use crate::support::{Draft, Running, exchange, is_closed, plain, receive, with_limits};

const MIB: usize = 1024 * 1024;

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    let running = Running::start(plain());
    let mut stream = running.connect();
    let mut both = running.request("GenerateRandom", r#"{"NumberOfBytes":8}"#);
    both.extend(running.request("Nothing", "{}"));
    both.extend(running.request("GenerateRandom", r#"{"NumberOfBytes":8}"#));
    stream.write_all(&both).unwrap();
    let statuses = [0; 3].map(|_| receive(&mut stream).unwrap().status);
    assert_eq!(statuses, [200, 400, 200]);
    assert_eq!(exchange(&mut stream, &running.request("ListKeys", "{}")).status, 200);
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let running = Running::start(plain());
    let request = String::from_utf8(running.request("ListKeys", "{}")).unwrap();
    let mut stream = running.connect();
    let answer = exchange(&mut stream, request.replace("HTTP/1.1", "HTTP/1.0").as_bytes());
    assert_eq!(answer.status, 200);
    assert!(is_closed(&mut stream));
}

#[test]
fn a_client_that_expects_100_is_told_to_go_on() {
    let running = Running::start(plain());
    let request = String::from_utf8(running.request("ListKeys", "{}")).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut stream = running.connect();
    let go_on = exchange(&mut stream, format!("{head}\r\nexpect: 100-continue\r\n\r\n").as_bytes());
    assert_eq!(go_on.status, 100);
    assert_eq!(exchange(&mut stream, body.as_bytes()).status, 200);
}

#[test]
fn a_client_that_expects_100_for_too_much_is_refused_at_once() {
    let running = Running::start(plain());
    let head =
        format!("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n", MIB + 1);
    assert_eq!(running.ask(head.as_bytes()).status, 413);
}

#[test]
fn a_body_of_the_limit_is_read_and_one_byte_more_is_not() {
    let running = Running::start(plain());
    let target = "TrentService.ListKeys";
    let body = vec![b' '; MIB];
    let answer = running.ask(&running.signed(&Draft { target, body: &body, ..Draft::new(&running) }));
    assert_eq!(answer.code(), "SerializationException", "white space alone is no JSON");
    let body = vec![b' '; MIB + 1];
    let mut stream = running.connect();
    let request = running.signed(&Draft { target, body: &body, ..Draft::new(&running) });
    let answer = exchange(&mut stream, &request);
    assert_eq!((answer.status, answer.code().as_str()), (413, "RequestEntityTooLargeException"));
    assert!(is_closed(&mut stream));
    assert_eq!(running.metric("trent_bodies_too_large_total"), Some(1));
}

#[test]
fn a_chunked_body_is_cut_when_it_passes_the_limit() {
    let running = Running::start(plain());
    let mut stream = running.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let mut chunk = format!("{:x}\r\n", 64 * 1024).into_bytes();
    chunk.extend(vec![b' '; 64 * 1024]);
    chunk.extend(b"\r\n");
    for _ in 0..20 {
        // The last ones may find the connection closed.
        let _ = stream.write_all(&chunk);
    }
    assert_eq!(receive(&mut stream).unwrap().status, 413);
}

#[test]
fn a_chunked_body_within_the_limit_is_read() {
    let running = Running::start(plain());
    let request = String::from_utf8(running.request("ListKeys", "{}")).unwrap();
    let request = request.replace("content-length: 2", "transfer-encoding: chunked");
    let mut stream = running.connect();
    let (head, _) = request.split_once("\r\n\r\n").unwrap();
    stream.write_all(format!("{head}\r\n\r\n1\r\n{{\r\n").as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(exchange(&mut stream, b"1\r\n}\r\n0\r\n\r\n").status, 200);
}

#[test]
fn a_slow_head_is_cut_and_an_idle_connection_is_not() {
    let limits = Limits { header_read: Duration::from_millis(300), ..Limits::default() };
    let running = Running::start(with_limits(limits));
    let (mut idle, mut used, mut slow) = (running.connect(), running.connect(), running.connect());
    let request = running.request("ListKeys", "{}");
    assert_eq!(exchange(&mut used, &request).status, 200);
    let started = Instant::now();
    for byte in b"POST / HTTP/1.1\r\nhost: a\r\nx-slow: yes" {
        if slow.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(is_closed(&mut slow));
    assert!(started.elapsed() < Duration::from_secs(2), "cut after {:?}", started.elapsed());
    assert!(running.comes_to(r#"trent_timeouts_total{doing="Head"}"#, 1));
    for stream in [&mut idle, &mut used] {
        assert_eq!(exchange(stream, &request).status, 200);
    }
}

#[test]
fn a_slow_body_is_cut_at_the_deadline_of_its_request() {
    let limits = Limits { request: Duration::from_millis(300), ..Limits::default() };
    let running = Running::start(with_limits(limits));
    let mut slow = running.connect();
    slow.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n").unwrap();
    let started = Instant::now();
    for _ in 0..30 {
        if slow.write_all(b" ").is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(receive(&mut slow).unwrap().status, 408);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(is_closed(&mut slow));
    assert!(running.comes_to(r#"trent_timeouts_total{doing="Body"}"#, 1));
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let limits = Limits { idle: Duration::from_millis(300), ..Limits::default() };
    let running = Running::start(with_limits(limits));
    let (mut fresh, mut used) = (running.connect(), running.connect());
    assert_eq!(exchange(&mut used, &running.request("ListKeys", "{}")).status, 200);
    let started = Instant::now();
    assert!(is_closed(&mut used));
    assert!(is_closed(&mut fresh));
    assert!(started.elapsed() >= Duration::from_millis(150), "closed after {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(2), "closed after {:?}", started.elapsed());
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let running = Running::start(plain());
    let mut stream = running.connect();
    let long = "x".repeat(64 * 1024);
    let _ = stream.write_all(format!("POST / HTTP/1.1\r\nhost: a\r\nx-long: {long}\r\n\r\n").as_bytes());
    assert!(is_closed(&mut stream) || receive(&mut stream).is_ok_and(|answer| answer.status == 431));
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    assert_eq!(running.ask(format!("POST / HTTP/1.1\r\n{many}\r\n").as_bytes()).status, 431);
    assert_eq!(running.ask(&running.request("ListKeys", "{}")).status, 200);
}

#[test]
fn garbage_ends_its_connection_and_nothing_else() {
    let running = Running::start(plain());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for length in [1, 7, 100, 5_000, 100_000] {
        let garbage: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        })
        .take(length)
        .collect();
        let mut stream = running.connect();
        let _ = stream.write_all(&garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        assert!(is_closed(&mut stream), "{length} bytes of garbage");
    }
    for malformed in
        ["GET\r\n\r\n", "POST / HTTP/9.9\r\n\r\n", "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n"]
    {
        let mut stream = running.connect();
        stream.write_all(malformed.as_bytes()).unwrap();
        assert!(is_closed(&mut stream), "{malformed}");
    }
    assert_eq!(running.ask(&running.request("ListKeys", "{}")).status, 200);
}
