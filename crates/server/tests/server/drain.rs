//! The end of a server.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trent_server::{Metrics, Server, Settings};

use crate::support::{Running, connect, exchange, is_closed, loopback, plain, receive};

/// A connection with a request whose body is not complete, and the rest of the body.
fn half_a_request(running: &Running) -> (TcpStream, Vec<u8>) {
    let mut request = running.request("ListKeys", r#"{"Limit":10}"#);
    let rest = request.split_off(request.len() - 5);
    let mut stream = running.connect();
    stream.write_all(&request).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    (stream, rest)
}

#[test]
fn a_drain_lets_requests_in_flight_end_and_closes_idle_connections_at_once() {
    let running = Running::start(Settings { operations: Some(loopback()), ..plain() });
    let (mut fresh, mut idle) = (running.connect(), running.connect());
    assert_eq!(exchange(&mut idle, &running.request("ListKeys", "{}")).status, 200);
    let (mut busy, rest) = half_a_request(&running);
    let address = running.address();
    let operations = running.server.operations_address().unwrap();
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(running.server.drain(Duration::from_secs(20)))
        });
        let started = Instant::now();
        assert!(is_closed(&mut idle));
        assert!(is_closed(&mut fresh));
        assert!(started.elapsed() < Duration::from_secs(1), "closed after {:?}", started.elapsed());
        assert!(TcpStream::connect(address).is_err(), "accepts no more");
        let ready = exchange(&mut connect(operations), b"GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!((ready.status, ready.text()), (503, "draining\n"));
        assert!(!drain.is_finished());
        let answer = exchange(&mut busy, &rest);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(is_closed(&mut busy));
        assert_eq!(drain.join().unwrap(), 0, "nothing was cut");
        assert!(started.elapsed() < Duration::from_secs(3));
    });
    assert!(TcpStream::connect(operations).is_err());
}

#[test]
fn a_second_drain_ends_everything_at_once() {
    let running = Running::start(plain());
    let (mut busy, _) = half_a_request(&running);
    std::thread::scope(|scope| {
        let block_on = |deadline| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(running.server.drain(Duration::from_secs(deadline)))
        };
        let first = scope.spawn(move || block_on(60));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!first.is_finished());
        let started = Instant::now();
        assert_eq!(block_on(60), 1);
        assert_eq!(first.join().unwrap(), 1);
        assert!(started.elapsed() < Duration::from_secs(1));
        assert!(receive(&mut busy).is_err());
    });
}

#[test]
fn a_drain_cuts_what_is_left_at_its_deadline() {
    let running = Running::start(plain());
    let (mut busy, _) = half_a_request(&running);
    let started = Instant::now();
    assert_eq!(running.runtime.block_on(running.server.drain(Duration::from_millis(300))), 1);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(receive(&mut busy).is_err());
}

#[test]
fn a_dropped_server_is_gone() {
    let running = Running::start(plain());
    let address = running.address();
    let mut idle = running.connect();
    drop(running);
    assert!(is_closed(&mut idle));
    std::thread::sleep(Duration::from_millis(200));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_server_can_be_started_and_dropped_on_a_runtime() {
    let running = Running::start(plain());
    running.runtime.block_on(async {
        let other = Server::start(plain(), Arc::clone(&running.service), &Metrics::new()).unwrap();
        assert!(TcpStream::connect(other.addresses()[0]).is_ok());
    });
}
