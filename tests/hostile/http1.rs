//! HTTP/1.1: large bodies, slow senders, garbage behind requests, answers that nobody reads.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use trent_testkit::receive;

use crate::victim::{Victim, closed_within, is_closed};

const MIB: usize = 1024 * 1024;

/// Sends 10 MB as fast as they are taken; gives the status, if one comes.
fn send_10_mb(stream: &mut TcpStream, chunked: bool) -> Option<u16> {
    let piece = vec![b' '; 64 * 1024];
    let head = match chunked {
        true => "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
        false => format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 10 * MIB),
    };
    stream.write_all(head.as_bytes()).ok()?;
    for _ in 0..10 * MIB / piece.len() {
        let prefix = if chunked { format!("{:x}\r\n", piece.len()) } else { String::new() };
        let suffix = if chunked { "\r\n" } else { "" };
        let sent = stream.write_all(prefix.as_bytes());
        if sent
            .and_then(|()| stream.write_all(&piece))
            .and_then(|()| stream.write_all(suffix.as_bytes()))
            .is_err()
        {
            break;
        }
    }
    receive(stream).ok().map(|answer| answer.status)
}

#[test]
fn bodies_of_ten_megabytes_are_refused_and_not_kept() {
    const ATTACKERS: usize = 32;
    let mut victim = Victim::start(&[], &[]);
    for chunked in [false, true] {
        let (statuses, met) = victim.under(|| {
            thread::scope(|scope| {
                let attack = |_| {
                    let mut stream = victim.connect();
                    scope.spawn(move || {
                        (0..3).filter_map(|_| send_10_mb(&mut stream, chunked)).collect::<Vec<_>>()
                    })
                };
                let attackers: Vec<_> = (0..ATTACKERS).map(attack).collect();
                attackers.into_iter().flat_map(|attacker| attacker.join().unwrap()).collect::<Vec<_>>()
            })
        });
        // An attacker who sends on after the answer may have it lost to a reset.
        assert!(statuses.len() >= ATTACKERS * 3 / 4, "{statuses:?}");
        assert!(statuses.iter().all(|status| *status == 413), "{statuses:?}");
        // 32 bodies of 1 MiB at most are in memory while they are chunked, and none when their length is told.
        met.is_fine(if chunked { "10 MB, chunked" } else { "10 MB" }, 128);
    }
    victim.is_unharmed();
}

/// Sends a byte after the other on all connections.
fn trickle(streams: &mut [TcpStream], bytes: &[u8], pause: Duration) {
    for byte in bytes {
        for stream in &mut *streams {
            // It may have been closed, which is what this is about.
            let _ = stream.write_all(&[*byte]);
        }
        thread::sleep(pause);
    }
}

#[test]
fn a_thousand_slow_heads_are_cut_and_delay_nobody() {
    let mut victim = Victim::start(&[("TRENT_HTTP__HEADER_SECONDS", "1")], &[]);
    let (closed, met) = victim.under(|| {
        let mut slow: Vec<TcpStream> = (0..1000).map(|_| victim.connect()).collect();
        trickle(&mut slow, b"POST / HTTP/1.1\r\nhost: a\r\nx-slow: yes", Duration::from_millis(50));
        closed_within(&mut slow, Duration::from_secs(3))
    });
    assert_eq!(closed, 1000);
    met.is_fine("1000 slow heads", 64);
    victim.is_unharmed();
}

#[test]
fn a_thousand_slow_bodies_are_cut_and_delay_nobody() {
    let mut victim = Victim::start(&[("TRENT_HTTP__REQUEST_SECONDS", "2")], &[]);
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n";
    let (statuses, met) = victim.under(|| {
        let mut slow: Vec<TcpStream> = (0..1000).map(|_| victim.connect()).collect();
        for stream in &mut slow {
            stream.write_all(head.as_bytes()).unwrap();
        }
        trickle(&mut slow, &[b' '; 30], Duration::from_millis(50));
        let answers = slow.iter_mut().map(|stream| receive(stream).unwrap());
        answers.map(|answer| (answer.status, answer.closes())).collect::<Vec<_>>()
    });
    assert!(statuses.iter().all(|status| *status == (408, true)), "{statuses:?}");
    met.is_fine("1000 slow bodies", 64);
    victim.is_unharmed();
}

/// Sends for some time whatever is taken.
fn fill(stream: &mut TcpStream, requests: &[u8], time: Duration) {
    stream.set_nonblocking(true).unwrap();
    let end = Instant::now() + time;
    while Instant::now() < end {
        match stream.write(requests) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(5)),
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    stream.set_nonblocking(false).unwrap();
}

#[test]
fn answers_that_nobody_reads_do_not_pile_up() {
    const DEAF: usize = 50;
    let mut victim = Victim::start(&[("TRENT_HTTP__IDLE_SECONDS", "2")], &[]);
    // Answered with 400, and the connection is kept: what strangers can have most cheaply.
    let requests = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n".repeat(100);
    let (mut deaf, met) = victim.under(|| {
        thread::scope(|scope| {
            let attack = |_| {
                let (mut stream, requests) = (victim.connect(), &requests);
                scope.spawn(move || {
                    fill(&mut stream, requests, Duration::from_secs(2));
                    stream
                })
            };
            let attackers: Vec<_> = (0..DEAF).map(attack).collect();
            attackers.into_iter().map(|attacker| attacker.join().unwrap()).collect::<Vec<_>>()
        })
    });
    met.is_fine("50 who never read", 64);
    // What they had sent is answered as far as answers are taken; then they are given up.
    assert_eq!(closed_within(&mut deaf, Duration::from_secs(40)), DEAF);
    victim.is_unharmed();
}

#[test]
fn what_follows_a_request_is_never_taken_for_one_by_mistake() {
    let mut victim = Victim::start(&[], &[]);
    let request = victim.request();
    let ((), met) = victim.under(|| {
        for garbage in
            ["\0\0\0\0\r\n\r\n", "POST\r\n\r\n", "POST / HTTP/1.1\r\nhost\r\n\r\n", "\u{fe}\u{ff}\r\n\r\n"]
        {
            let mut stream = victim.connect();
            stream.write_all(&request).unwrap();
            assert_eq!(receive(&mut stream).unwrap().status, 200);
            stream.write_all(&[&request[..], garbage.as_bytes()].concat()).unwrap();
            let mut rest = Vec::new();
            let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
            let rest = String::from_utf8_lossy(&rest).into_owned();
            let statuses: Vec<_> = rest.matches("HTTP/1.1 ").collect();
            assert!(rest.starts_with("HTTP/1.1 200 ") && statuses.len() <= 2, "{garbage:?}: {rest}");
            assert!(statuses.len() == 1 || rest.contains("HTTP/1.1 400 "), "{garbage:?}: {rest}");
        }
        // More than one may think of where a body ends: refused, or read in one way and the connection closed.
        let inner = String::from_utf8(victim.request()).unwrap();
        for (head, body) in [
            ("content-length: 5\r\ncontent-length: 6", "12345"),
            ("content-length: 5, 6", "12345"),
            ("content-length: +5", "12345"),
            ("content-length: 18446744073709551617", "12345"),
            ("transfer-encoding: chunked, identity", "0\r\n\r\n"),
            ("transfer-encoding: identity", ""),
            ("transfer-encoding: xchunked", "0\r\n\r\n"),
            ("transfer-encoding: chunked", "fffffffffffffffff\r\n"),
            ("transfer-encoding: chunked", "5\n12345\r\n0\r\n\r\n"),
            ("transfer-encoding: chunked", "-5\r\n12345\r\n0\r\n\r\n"),
        ] {
            let mut stream = victim.connect();
            let text = format!("POST / HTTP/1.1\r\nhost: a\r\n{head}\r\n\r\n{body}{inner}");
            stream.write_all(text.as_bytes()).unwrap();
            let answer = receive(&mut stream);
            assert!(answer.as_ref().is_ok_and(|answer| answer.status == 400), "{head}: {answer:?}");
            assert!(is_closed(&mut stream), "{head}");
        }
        thread::sleep(Duration::from_millis(300));
    });
    met.is_fine("garbage", 32);
    victim.is_unharmed();
}
