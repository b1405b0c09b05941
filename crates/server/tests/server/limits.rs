//! Many clients.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use trent_server::Limits;

use crate::support::{Running, exchange, is_closed, plain, receive, with_limits};

#[test]
fn connections_over_the_limit_are_turned_away_and_places_are_given_back() {
    let running = Running::start(with_limits(Limits { connections_max: 2, ..Limits::default() }));
    let request = running.request("ListKeys", "{}");
    let (mut first, mut second) = (running.connect(), running.connect());
    for stream in [&mut first, &mut second] {
        assert_eq!(exchange(stream, &request).status, 200);
    }
    let mut third = running.connect();
    assert_eq!(receive(&mut third).unwrap().status, 503);
    assert!(is_closed(&mut third));
    assert_eq!(running.metric("trent_connections_refused_total"), Some(1));
    drop(first);
    assert!(running.comes_to("trent_connections_open", 1));
    assert_eq!(running.ask(&request).status, 200);
}

#[test]
fn one_source_cannot_take_all_connections() {
    let limits = Limits { connections_per_source_max: Some(1), ..Limits::default() };
    let running = Running::start(with_limits(limits));
    let mut first = running.connect();
    assert_eq!(exchange(&mut first, &running.request("ListKeys", "{}")).status, 200);
    assert_eq!(receive(&mut running.connect()).unwrap().status, 503);
}

#[test]
fn unfinished_bodies_share_a_bounded_amount_of_memory() {
    let running = Running::start(with_limits(Limits { bodies_bytes_max: 100_000, ..Limits::default() }));
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 200_000);
    let mut hog = running.connect();
    hog.write_all(head.as_bytes()).unwrap();
    hog.write_all(&vec![b' '; 90_000]).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let mut other = running.connect();
    other.write_all(head.as_bytes()).unwrap();
    let _ = other.write_all(&vec![b' '; 90_000]);
    assert_eq!(receive(&mut other).unwrap().code(), "ThrottlingException");
    drop(hog);
    std::thread::sleep(Duration::from_millis(200));
    let mut third = running.connect();
    third.write_all(head.as_bytes()).unwrap();
    third.write_all(&vec![b' '; 90_000]).unwrap();
    drop(third);
    assert_eq!(running.ask(&running.request("ListKeys", "{}")).status, 200);
}

#[test]
fn idle_connections_do_not_delay_others() {
    const IDLE: usize = 2_000;
    let running = Running::start(plain());
    let request = running.request("ListKeys", "{}");
    let mut stream = running.connect();
    let quiet = median(&mut stream, &request);
    let mut idle: Vec<TcpStream> = (0..IDLE).map(|_| running.connect()).collect();
    for stream in &mut idle {
        assert_eq!(exchange(stream, &request).status, 200);
    }
    let crowded = median(&mut stream, &request);
    println!("median {quiet:?} alone, {crowded:?} beside {IDLE} idle connections");
    assert!(crowded < quiet * 3 + Duration::from_millis(1), "{quiet:?} became {crowded:?}");
    assert_eq!(running.metric("trent_connections_open"), Some(IDLE as u64 + 1));
}

fn median(stream: &mut TcpStream, request: &[u8]) -> Duration {
    let mut times: Vec<Duration> = (0..301)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(exchange(stream, request).status, 200);
            started.elapsed()
        })
        .collect();
    times.sort();
    times[150]
}
