//! HTTP/2, by hand: what a library would not send.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use trent_testkit::connect;
use trent_testkit::frames::flag::{END_HEADERS, END_STREAM};
use trent_testkit::frames::kind::{CONTINUATION, HEADERS, PING, RST_STREAM, SETTINGS};
use trent_testkit::frames::{PREFACE, frame, header};

use crate::victim::{Victim, closed_within, is_closed};

const ATTACKERS: usize = 10;
/// How long an attack goes on.
const ATTACK: Duration = Duration::from_secs(2);

/// `POST`, `/`, `http`, and the authority `a`: the first three by their number in the static table.
const HEAD: &[u8] = &[0x83, 0x84, 0x86, 0x41, 0x01, b'a'];

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

impl Attack {
    /// Every connection was ended, but for those that were still new when the time was over.
    fn was_cut_off(self) {
        assert!(self.connections > 2 * ATTACKERS, "{self:?}");
        assert!(self.ended + ATTACKERS >= self.connections, "{self:?}");
    }
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
    attack.was_cut_off();
    met.is_fine(&format!("rapid resets, {attack:?}"), 64);
    victim.is_unharmed();
}

/// Reads frames up to the head of an answer, and gives its payload.
fn head_of_answer(stream: &mut TcpStream) -> Vec<u8> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let [a, b, c, kind, ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]).try_into().unwrap()];
        stream.read_exact(&mut payload).unwrap();
        if kind == HEADERS {
            return payload;
        }
    }
}

/// A head of 64 kB, twice what is allowed.
fn long_list(stream: u32) -> Vec<u8> {
    let long = header(b"x-long", &[b'x'; 16_000]);
    let mut frames = frame(HEADERS, END_STREAM, stream, HEAD);
    for flags in [0, 0, 0, END_HEADERS] {
        frames.extend(frame(CONTINUATION, flags, stream, &long));
    }
    frames
}

#[test]
fn a_header_list_that_is_too_large_is_answered_with_431() {
    let mut victim = Victim::start(&[], &[]);
    let mut stream = begin(victim.server.kms, &[]);
    stream.write_all(&long_list(1)).unwrap();
    // `:status` by its number in the static table, and `431` in Huffman's code: RFC 7541 A and B.
    assert!(head_of_answer(&mut stream).starts_with(&[0x48, 0x83, 0x69, 0x90, 0xff]));
    stream.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 3, HEAD)).unwrap();
    // `400`, of the static table: the connection goes on.
    assert_eq!(head_of_answer(&mut stream).first(), Some(&0x8c));
    victim.is_unharmed();
}

#[test]
fn header_lists_without_an_end_end_their_connections() {
    let mut victim = Victim::start(&[], &[]);
    let (attack, met) = victim.under(|| {
        attack(&victim, |round| match round {
            0 => frame(HEADERS, END_STREAM, 1, HEAD),
            _ => frame(CONTINUATION, 0, 1, &header(b"x-long", &[b'x'; 16_000])),
        })
    });
    attack.was_cut_off();
    met.is_fine(&format!("unending lists, {attack:?}"), 64);
    victim.is_unharmed();
}

#[test]
fn header_lists_that_are_too_large_delay_nobody() {
    let mut victim = Victim::start(&[], &[]);
    let (attack, met) = victim.under(|| attack(&victim, |round| long_list(2 * round + 1)));
    met.is_fine(&format!("lists of 64 kB, {attack:?}"), 64);
    victim.is_unharmed();
}

#[test]
fn header_lists_that_grow_when_they_are_decoded_are_not_kept() {
    let mut victim = Victim::start(&[], &[]);
    // A table entry of 4,000 bytes, named 12,000 times in a frame: 48 MB in 16 kB.
    let mut entry = header(b"x-bomb", &[b'x'; 4_000]);
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
