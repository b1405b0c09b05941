//! Ten thousand connections that do nothing.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::victim::Victim;

const IDLE: usize = 10_000;
/// What both processes need beside the connections.
const SPARE: u64 = 500;

/// As many idle connections as this process may have, up to those wanted. The server has the same limit.
fn possible() -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let allowed =
        limit.maximum.map_or(IDLE, |maximum| usize::try_from(maximum.saturating_sub(SPARE)).unwrap());
    if allowed < IDLE {
        println!("the hard limit of open files allows {allowed} connections, not {IDLE}");
    }
    allowed.min(IDLE)
}

#[test]
fn ten_thousand_idle_connections_delay_nobody() {
    let number = possible();
    let mut victim = Victim::start(&[], &[]);
    let (mut idle, met) = victim.under(|| (0..number).map(|_| victim.connect()).collect::<Vec<TcpStream>>());
    met.is_fine(&format!("opening {number}"), 160);
    // Half of them have been used, and hold what a connection in use holds.
    let (_, met) = victim.under(|| {
        for stream in idle.iter_mut().step_by(2) {
            assert_eq!(victim.ask(stream).status, 200);
        }
        thread::sleep(Duration::from_secs(1));
    });
    met.is_fine(&format!("{number} idle ones, half of them used"), 240);
    let (_, met) = victim.under(|| {
        drop(idle);
        thread::sleep(Duration::from_secs(1));
    });
    met.is_fine(&format!("closing {number}"), 240);
    victim.is_unharmed();
}
