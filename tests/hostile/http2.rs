//! HTTP/2, by hand: what a library would not send.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use trent_testkit::connect;

use crate::victim::{Victim, closed_within, is_closed};

const ATTACKERS: usize = 20;
/// How long an attack goes on.
const ATTACK: Duration = Duration::from_secs(2);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `POST`, `/`, `http`, and the authority `a`: the first three by their number in the static table.
const HEAD: &[u8] = &[0x83, 0x84, 0x86, 0x41, 0x01, b'a'];

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn begin(address: SocketAddr, settings: &[u8]) -> TcpStream {
    let mut stream = connect(address).unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).unwrap();
    stream
}

/// What an attack came to.
#[derive(Debug, Default, Clone, Copy)]
struct Attack {
    /// Pieces that were sent.
    sent: u32,
    connections: usize,
    /// Those of them that the server has ended.
    ended: usize,
}

/// All attackers at once, for [`ATTACK`]: each sends one piece after the other, and connects again when it is cut off.
fn attack(victim: &Victim, frames: impl Fn(u32) -> Vec<u8> + Sync) -> Attack {
    let (address, end) = (victim.server.kms, Instant::now() + ATTACK);
    let one = || {
        let mut attack = Attack::default();
        while Instant::now() < end {
            let mut stream = begin(address, &[]);
            attack.connections += 1;
            stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
            for round in 0.. {
                if Instant::now() > end || stream.write_all(&frames(round)).is_err() {
                    break;
                }
                attack.sent += 1;
            }
            stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            attack.ended += usize::from(is_closed(&mut stream));
        }
        attack
    };
    let attacks: Vec<Attack> = thread::scope(|scope| {
        let attackers: Vec<_> = (0..ATTACKERS).map(|_| scope.spawn(one)).collect();
        attackers.into_iter().map(|attacker| attacker.join().unwrap()).collect()
    });
    let sum = |all: Attack, one: &Attack| Attack {
        sent: all.sent + one.sent,
        connections: all.connections + one.connections,
        ended: all.ended + one.ended,
    };
    attacks.iter().fold(Attack::default(), sum)
}

#[test]
fn rapid_resets_end_their_connections_and_delay_nobody() {
    let mut victim = Victim::start(&[], &[]);
    let (attack, met) = victim.under(|| {
        attack(&victim, |round| {
            let reset = |number: u32| {
                let stream = 2 * (round * 100 + number) + 1;
                let head = frame(HEADERS, END_HEADERS, stream, HEAD);
                [head, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
            };
            (0..100).flat_map(reset).collect()
        })
    });
    assert_eq!(attack.ended, attack.connections, "{attack:?}");
    met.is_fine(&format!("rapid resets, {attack:?}"), 64);
    victim.is_unharmed();
}

/// A header with a name of its own, not indexed.
fn header(name: &[u8], value_bytes: usize) -> Vec<u8> {
    // Lengths with a prefix of 7 bits: RFC 7541 5.1.
    let length = |mut length: usize| {
        if length < 127 {
            return vec![u8::try_from(length).unwrap()];
        }
        let mut bytes = vec![127];
        length -= 127;
        while length >= 128 {
            bytes.push(u8::try_from(length % 128).unwrap() | 128);
            length /= 128;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes
    };
    [vec![0], length(name.len()), name.to_vec(), length(value_bytes), vec![b'x'; value_bytes]].concat()
}

#[test]
fn header_lists_without_an_end_end_their_connections() {
    let mut victim = Victim::start(&[], &[]);
    let (attack, met) = victim.under(|| {
        attack(&victim, |round| match round {
            0 => frame(HEADERS, END_STREAM, 1, HEAD),
            _ => frame(CONTINUATION, 0, 1, &header(b"x-long", 16_000)),
        })
    });
    assert_eq!(attack.ended, attack.connections, "{attack:?}");
    met.is_fine(&format!("unending lists, {attack:?}"), 64);
    victim.is_unharmed();
}

#[test]
fn header_lists_that_are_too_large_delay_nobody() {
    let mut victim = Victim::start(&[], &[]);
    let (attack, met) = victim.under(|| {
        attack(&victim, |round| {
            let stream = 2 * round + 1;
            let long = header(b"x-long", 16_000);
            let more = (0..3).flat_map(|_| frame(CONTINUATION, 0, stream, &long));
            let first = frame(HEADERS, END_STREAM, stream, HEAD);
            first.into_iter().chain(more).chain(frame(CONTINUATION, END_HEADERS, stream, &long)).collect()
        })
    });
    met.is_fine(&format!("lists of 64 kB, {attack:?}"), 64);
    victim.is_unharmed();
}

#[test]
fn header_lists_that_grow_when_they_are_decoded_are_not_kept() {
    let mut victim = Victim::start(&[], &[]);
    // A table entry of 4,000 bytes, named 12,000 times in a frame: 48 MB in 16 kB.
    let mut entry = header(b"x-bomb", 4_000);
    entry[0] = 0x40;
    let names = [HEAD, &entry, &[0x80 | 62; 12_000]].concat();
    let (attack, met) = victim
        .under(|| attack(&victim, |round| frame(HEADERS, END_STREAM | END_HEADERS, 2 * round + 1, &names)));
    met.is_fine(&format!("lists that grow, {attack:?}"), 64);
    victim.is_unharmed();
}

#[test]
fn floods_of_small_frames_delay_nobody() {
    let mut victim = Victim::start(&[], &[]);
    let piece = |frame: Vec<u8>| frame.repeat(1000);
    for (name, piece) in [
        ("pings", piece(frame(PING, 0, 0, &[0; 8]))),
        ("settings", piece(frame(SETTINGS, 0, 0, &[]))),
        ("heads of one stream", piece(frame(HEADERS, END_HEADERS, 1, HEAD))),
    ] {
        let (attack, met) = victim.under(|| attack(&victim, |_| piece.clone()));
        met.is_fine(&format!("{name}, {attack:?}"), 64);
    }
    victim.is_unharmed();
}

#[test]
fn streams_whose_answers_cannot_be_sent_do_not_stay_for_ever() {
    let mut victim = Victim::start(&[("TRENT_HTTP__IDLE_SECONDS", "1")], &[]);
    let (closed, met) = victim.under(|| {
        // An initial window of 0: there is no room for a single byte of a body.
        let settings = [0, 4, 0, 0, 0, 0];
        let mut streams: Vec<TcpStream> = (0..50).map(|_| begin(victim.server.kms, &settings)).collect();
        for stream in &mut streams {
            let requests: Vec<u8> = (0..100)
                .flat_map(|number| frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, HEAD))
                .collect();
            stream.write_all(&requests).unwrap();
        }
        thread::sleep(Duration::from_secs(8));
        closed_within(&mut streams, Duration::from_secs(3))
    });
    assert_eq!(closed, 50);
    met.is_fine("5,000 answers without room", 64);
    victim.is_unharmed();
}
