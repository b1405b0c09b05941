//! Which HSMs of a key store are asked, and in which order.
//!
//! Those that work take turns. One that fails is away: it is asked when no other has an answer, and looked for again after
//! a pause, which grows until it has answered something. One that hangs, or takes the worker along, is not asked at all
//! until it was found in good order: each such call costs everybody the worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::login::Member;

/// How long an HSM is left alone at first, and at most.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// The HSMs of a key store.
pub(super) struct Rotation {
    hsms: Mutex<Vec<Hsm>>,
    /// Counts calls, so that the HSMs take turns.
    calls: AtomicUsize,
}

/// What is known of an HSM.
struct Hsm {
    serial: String,
    /// Since it has let the user in.
    member: Option<Arc<Member>>,
    state: State,
    /// The pause after its next failure.
    pause: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Works,
    /// Looked for again, not before then.
    Away {
        until: Instant,
        is_harmful: bool,
    },
    /// It knows none of the passwords. Looked for when a person has said so: each try counts against the user.
    Refuses,
}

/// What an HSM did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not there, or out of order.
    Absent,
    /// It did not answer, and the worker was killed for it or died of it.
    Hung,
}

impl Rotation {
    /// No HSM has let the user in yet; all but those that refuse are to be looked for.
    pub(super) fn new(serials: impl IntoIterator<Item = String>, now: Instant) -> Self {
        let hsms = serials.into_iter().map(|serial| Hsm {
            serial,
            member: None,
            state: State::Away { until: now, is_harmful: false },
            pause: FIRST,
        });
        Self { hsms: Mutex::new(hsms.collect()), calls: AtomicUsize::default() }
    }

    /// The HSMs in the order in which they are to be asked: those that work in turn, and behind them the others that may be
    /// asked.
    pub(super) fn in_turn(&self) -> Vec<Arc<Member>> {
        let turn = self.calls.fetch_add(1, Ordering::Relaxed);
        let hsms = self.hsms.lock();
        let of = |wanted: fn(State) -> bool| {
            let fit = hsms.iter().filter(move |hsm| wanted(hsm.state));
            fit.filter_map(|hsm| hsm.member.clone())
        };
        let mut members: Vec<_> = of(|state| state == State::Works).collect();
        let first = turn % members.len().max(1);
        members.rotate_left(first);
        members.extend(of(|state| matches!(state, State::Away { is_harmful: false, .. })));
        members
    }

    /// Whether an HSM is one of those.
    pub(super) fn may_be_asked(&self, serial: &str) -> bool {
        let asked = |state| matches!(state, State::Works | State::Away { is_harmful: false, .. });
        self.with(serial, |hsm| asked(hsm.state)).unwrap_or_default()
    }

    /// All there are.
    pub(super) fn serials(&self) -> Vec<String> {
        self.hsms.lock().iter().map(|hsm| hsm.serial.clone()).collect()
    }

    /// One that has let the user in.
    pub(super) fn member(&self, serial: &str) -> Option<Arc<Member>> {
        self.with(serial, |hsm| hsm.member.clone()).flatten()
    }

    /// Those that work.
    pub(super) fn members(&self) -> Vec<Arc<Member>> {
        let hsms = self.hsms.lock();
        let works = hsms.iter().filter(|hsm| hsm.state == State::Works);
        works.filter_map(|hsm| hsm.member.clone()).collect()
    }

    /// Whether all HSMs that there should be work.
    pub(super) fn is_complete(&self) -> bool {
        self.hsms.lock().iter().all(|hsm| hsm.state == State::Works)
    }

    /// Those that are to be looked for now.
    pub(super) fn due(&self, now: Instant) -> Vec<String> {
        let hsms = self.hsms.lock();
        let is_due = |hsm: &&Hsm| matches!(hsm.state, State::Away { until, .. } if until <= now);
        hsms.iter().filter(is_due).map(|hsm| hsm.serial.clone()).collect()
    }

    /// An HSM has let the user in. What it does now decides how long it is left alone when it fails again.
    pub(super) fn joined(&self, member: Member) {
        self.with(&member.serial.clone(), |hsm| {
            hsm.member = Some(Arc::new(member));
            hsm.state = State::Works;
        });
    }

    /// An HSM has answered what it was asked. Answers whether it was away.
    pub(super) fn answered(&self, serial: &str) -> bool {
        self.with(serial, |hsm| {
            hsm.pause = FIRST;
            let was_away = matches!(hsm.state, State::Away { .. });
            if was_away {
                hsm.state = State::Works;
            }
            was_away
        })
        .unwrap_or_default()
    }

    /// An HSM has failed in a call. Answers whether it had worked before.
    pub(super) fn failed(&self, serial: &str, fault: Fault, now: Instant) -> bool {
        self.with(serial, |hsm| hsm.fail(fault, now)).unwrap_or_default()
    }

    /// An HSM was looked for in vain.
    pub(super) fn is_still_away(&self, serial: &str, now: Instant) {
        self.with(serial, |hsm| {
            if let State::Away { is_harmful, .. } = hsm.state {
                hsm.rest(is_harmful, now);
            }
        });
    }

    /// An HSM knows none of the passwords. Answers whether it had worked before.
    pub(super) fn refused(&self, serial: &str) -> bool {
        let worked =
            self.with(serial, |hsm| std::mem::replace(&mut hsm.state, State::Refuses) == State::Works);
        worked.unwrap_or_default()
    }

    /// Those that know none of the passwords.
    pub(super) fn refusing(&self) -> Vec<String> {
        let hsms = self.hsms.lock();
        let refuse = hsms.iter().filter(|hsm| hsm.state == State::Refuses);
        let mut serials: Vec<_> = refuse.map(|hsm| hsm.serial.clone()).collect();
        serials.sort_unstable();
        serials
    }

    /// Has those looked for again that know none of the passwords.
    pub(super) fn forgive(&self, now: Instant) {
        for hsm in self.hsms.lock().iter_mut() {
            if let Some(member) = &hsm.member {
                member.forgive();
            }
            if hsm.state == State::Refuses {
                hsm.state = State::Away { until: now, is_harmful: false };
            }
        }
    }

    /// An HSM that has let the user in knows another password by now.
    pub(super) fn replace(&self, member: Member) {
        self.with(&member.serial.clone(), |hsm| hsm.member = Some(Arc::new(member)));
    }

    /// Nobody knows which password an HSM has. It is to be looked for.
    pub(super) fn is_unsure(&self, serial: &str, now: Instant) {
        self.with(serial, |hsm| {
            hsm.member = None;
            hsm.state = State::Away { until: now, is_harmful: false };
        });
    }

    fn with<T>(&self, serial: &str, change: impl FnOnce(&mut Hsm) -> T) -> Option<T> {
        self.hsms.lock().iter_mut().find(|hsm| hsm.serial == serial).map(change)
    }
}

impl Hsm {
    fn fail(&mut self, fault: Fault, now: Instant) -> bool {
        let is_hung = fault == Fault::Hung;
        match self.state {
            State::Works => {
                self.rest(is_hung, now);
                true
            }
            State::Away { until, is_harmful } => {
                // Those that are asked in vain meanwhile do not put the next look off.
                self.state = State::Away { until, is_harmful: is_harmful || is_hung };
                false
            }
            State::Refuses => false,
        }
    }

    fn rest(&mut self, is_harmful: bool, now: Instant) {
        self.state = State::Away { until: now + self.pause, is_harmful };
        self.pause = (self.pause * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use trent_hsm::Pin;

    use super::*;

    fn member(serial: &str) -> Member {
        Member::new(serial.to_owned(), Pin::from("pin"))
    }

    fn rotation(now: Instant) -> Rotation {
        let rotation = Rotation::new(["a", "b"].map(str::to_owned), now);
        assert_eq!(rotation.due(now), ["a", "b"]);
        assert!(rotation.members().is_empty() && !rotation.is_complete());
        rotation.joined(member("a"));
        rotation.joined(member("b"));
        assert!(rotation.due(now).is_empty() && rotation.is_complete());
        rotation
    }

    fn turn(rotation: &Rotation) -> String {
        rotation.in_turn().iter().map(|member| member.serial.as_str()).collect()
    }

    #[test]
    fn those_that_work_take_turns_and_the_others_come_last_or_never() {
        let now = Instant::now();
        let rotation = rotation(now);
        assert_eq!([(); 3].map(|()| turn(&rotation)), ["ab", "ba", "ab"]);
        assert!(rotation.failed("a", Fault::Absent, now) && !rotation.failed("a", Fault::Absent, now));
        assert_eq!([(); 2].map(|()| turn(&rotation)), ["ba", "ba"]);
        assert_eq!(rotation.members().len(), 1);
        assert!(rotation.answered("a") && !rotation.answered("a"));
        assert_eq!([(); 2].map(|()| turn(&rotation)), ["ba", "ab"]);
        rotation.failed("a", Fault::Hung, now);
        assert_eq!(turn(&rotation), "b");
        assert_eq!(["a", "b"].map(|serial| rotation.may_be_asked(serial)), [false, true]);
        // What was harmful stays so until it was found in good order.
        rotation.failed("a", Fault::Absent, now);
        assert_eq!(turn(&rotation), "b");
        rotation.joined(member("a"));
        assert!(rotation.refused("b") && !rotation.refused("b"));
        assert_eq!((turn(&rotation), rotation.failed("b", Fault::Absent, now)), ("a".to_owned(), false));
        assert_eq!((rotation.refusing(), rotation.due(now)), (vec!["b".to_owned()], vec![]));
        rotation.forgive(now);
        assert_eq!((rotation.refusing(), rotation.due(now)), (vec![], vec!["b".to_owned()]));
    }

    #[test]
    fn pauses_grow_until_it_has_answered() {
        let mut now = Instant::now();
        let rotation = rotation(now);
        let fail = |now: &mut Instant| {
            rotation.failed("a", Fault::Absent, *now);
            let mut pause = Duration::ZERO;
            while rotation.due(*now + pause).is_empty() {
                pause += Duration::from_secs(1);
            }
            *now += pause;
            // That it lets the user in is not enough.
            rotation.joined(member("a"));
            pause.as_secs()
        };
        assert_eq!([(); 7].map(|()| fail(&mut now)), [1, 2, 4, 8, 16, 30, 30]);
        rotation.answered("a");
        assert_eq!(fail(&mut now), 1);
        // Failing calls put nothing off; looking in vain does.
        rotation.failed("a", Fault::Absent, now);
        let due = now + FIRST * 2;
        rotation.failed("a", Fault::Absent, due);
        assert_eq!(rotation.due(due), ["a"]);
        rotation.is_still_away("a", due);
        assert!(rotation.due(due).is_empty() && !rotation.due(due + FIRST * 4).is_empty());
        rotation.refused("a");
        assert!(rotation.due(now + LONGEST).is_empty());
    }
}
