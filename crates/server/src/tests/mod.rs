//! The transport with an endpoint that misbehaves, which the real one never should.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Version};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::core::Listener;
use crate::endpoint::{Answer, Endpoint, Origin};
use crate::guard::guarded;
use crate::limits::Limits;
use crate::pool::{Bound, Pool, bind};
use crate::respond::{Refusal, Stamp, respond};

/// Does what the path says, and answers with the number of its core.
struct Misbehaving(u8);

impl Endpoint for Misbehaving {
    async fn answer(&self, request: Request<Incoming>, _origin: &Origin) -> Answer {
        let work = async {
            match request.uri().path() {
                "/panic" => panic!("as asked"),
                "/slow" => sleep(Duration::from_millis(500)).await,
                "/stuck" => std::future::pending().await,
                _ => {}
            }
            vec![b'0' + self.0]
        };
        let outcome = guarded(Instant::now() + Duration::from_secs(1), work).await;
        let stamp = Stamp {
            request_id: Uuid::nil(),
            date: HeaderValue::from_static("now"),
            version: Version::HTTP_11,
        };
        respond(outcome.map_err(Refusal::Failure), stamp)
    }
}

fn start(cores: usize) -> Pool {
    let socket = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = Arc::new(Listener { tls: None, on_loopback: true, endpoint: None });
    let mut numbers = 0..;
    let endpoint = || Misbehaving(numbers.next().unwrap());
    Pool::start(
        "test",
        vec![Bound { socket, listener }],
        cores,
        &Limits::default(),
        &Arc::default(),
        endpoint,
    )
    .unwrap()
}

fn connect(pool: &Pool) -> TcpStream {
    let stream = TcpStream::connect(pool.addresses()[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn ask(stream: &mut TcpStream, path: &str) -> String {
    stream
        .write_all(format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").as_bytes())
        .unwrap();
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).unwrap();
    answer.truncate(length);
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_panic_ends_its_request_and_not_its_connection() {
    let pool = start(1);
    let mut stream = connect(&pool);
    let answer = ask(&mut stream, "/panic");
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("KMSInternalException"), "{answer}");
    assert!(ask(&mut stream, "/").starts_with("HTTP/1.1 200"));
}

#[test]
fn work_that_is_stuck_is_answered_at_its_deadline() {
    let pool = start(1);
    let mut stream = connect(&pool);
    let answer = ask(&mut stream, "/stuck");
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("DependencyTimeoutException"), "{answer}");
    assert!(ask(&mut stream, "/").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_drain_waits_for_work_in_flight() {
    let pool = start(1);
    let mut stream = connect(&pool);
    let asked = std::thread::spawn(move || ask(&mut stream, "/slow"));
    std::thread::sleep(Duration::from_millis(100));
    pool.drain(Duration::from_secs(10));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(pool.ended()), 0);
    assert!(asked.join().unwrap().starts_with("HTTP/1.1 200"));
}

#[test]
fn connections_are_dealt_to_the_core_with_the_fewest() {
    let pool = start(4);
    let mut streams: Vec<_> = (0..20).map(|_| connect(&pool)).collect();
    let mut served = [0; 4];
    for stream in &mut streams {
        let core = ask(stream, "/").bytes().last().unwrap();
        served[usize::from(core - b'0')] += 1;
    }
    assert_eq!(served, [5; 4]);
}
