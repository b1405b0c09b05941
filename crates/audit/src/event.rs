//! What an operation leaves for its record while it runs.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use trent_protocol::{Encode, Object, Sink};
use uuid::Uuid;

use crate::internal::Internal;
use crate::json::{Camel, object};
use crate::recorded::Recorded;

/// The notes of one operation. It outlives the operation, so that one that is cut or panics is recorded with what was
/// known of it.
#[derive(Default)]
pub struct Event {
    id: Uuid,
    // Of an event that is not recorded nothing is noted.
    off: bool,
    notes: Mutex<Notes>,
}

/// See [`Event`]. JSON, written when it was noted.
#[derive(Default)]
pub(crate) struct Notes {
    /// `requestParameters`, an object; nothing before the request was read.
    pub(crate) parameters: Vec<u8>,
    /// `responseElements`, an object or nothing.
    pub(crate) elements: Vec<u8>,
    /// `additionalEventData`, an object or nothing.
    pub(crate) additional: Vec<u8>,
    /// The ARNs of the resources.
    pub(crate) resources: Vec<Box<str>>,
    /// The text that the record has in place of the error's.
    pub(crate) message: Option<String>,
    /// What trent did because of this.
    pub(crate) following: Vec<Internal>,
}

impl Event {
    /// An event that is recorded, or not.
    pub fn new(id: Uuid, recorded: bool) -> Self {
        Self { id, off: !recorded, notes: Mutex::default() }
    }

    /// The id that its record has.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Notes what is asked.
    pub fn request<R: Recorded>(&self, request: &R) {
        if !self.off {
            let parameters = &mut self.notes().parameters;
            // As many have; to grow a buffer step by step costs more than to fill it.
            parameters.reserve(256);
            object(parameters, |members| request.parameters(members));
        }
    }

    /// Notes what is answered.
    pub fn answer<R: Recorded>(&self, answer: &R::Response) {
        if self.off {
            return;
        }
        let mut notes = self.notes();
        let Notes { elements, additional, resources, .. } = &mut *notes;
        object(elements, |members| R::elements(answer, resources.first().map(|arn| &**arn), members));
        extend(additional, |members| R::additional(answer, members));
    }

    /// Notes the ARN of a resource, once.
    pub fn resource(&self, arn: &str) {
        if self.off {
            return;
        }
        let mut notes = self.notes();
        if !notes.resources.iter().any(|known| **known == *arn) {
            notes.resources.push(arn.into());
        }
    }

    /// Notes a member of `additionalEventData`.
    pub fn additional(&self, name: &str, value: &str) {
        if !self.off {
            extend(&mut self.notes().additional, |members| members.member(name, value));
        }
    }

    /// The same of a member that is a list.
    pub fn additional_texts(&self, name: &str, values: &[String]) {
        if !self.off {
            extend(&mut self.notes().additional, |members| members.member(name, &values.to_vec()));
        }
    }

    /// Notes for whom the answer is sealed: the id of an enclave or machine, and what was measured of it.
    pub fn recipient(&self, module_id: &str, measured: &[(String, &[u8])]) {
        if !self.off {
            let recipient = Recipient { module_id, measured };
            extend(&mut self.notes().additional, |members| members.member("recipient", &recipient));
        }
    }

    /// Notes that the request violates constraints. Their message repeats the members' values, which may be secrets:
    /// recorded is which members they are.
    pub fn invalid(&self, message: &str) {
        if self.off {
            return;
        }
        let paths = message.split("at '").skip(1).filter_map(|rest| rest.split_once("' failed"));
        let paths: Vec<_> = paths.map(|(path, _)| path).filter(|path| is_path(path)).collect();
        self.notes().message = Some(format!("Invalid members: {}", paths.join(", ")));
    }

    /// Notes what trent did because of this, to be recorded after it.
    pub fn follow(&self, internal: Internal) {
        if !self.off {
            self.notes().following.push(internal);
        }
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        // Whoever panicked left whole members.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("off", &self.off).finish_non_exhaustive()
    }
}

struct Recipient<'a> {
    module_id: &'a str,
    measured: &'a [(String, &'a [u8])],
}

impl Encode for Recipient<'_> {
    fn encode_into(&self, out: &mut impl Sink) {
        let mut object = Object::open(out);
        object.member("attestationDocumentModuleId", self.module_id);
        for (name, value) in self.measured {
            object.member(name, &value.to_vec());
        }
        object.close();
    }
}

/// Whether a text has the form of a member's path, such as `tags.1.member.tagKey`.
fn is_path(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
    text.len() <= 100 && text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(fits)
}

/// Appends members to an object that may be there already.
fn extend(json: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_, Camel<'_>>)) {
    let before = json.len();
    if before == 0 {
        // The id of a key's material has 84 bytes with its name, and most have nothing else.
        json.reserve(96);
    }
    object(json, fill);
    if json.ends_with(b"{}") {
        json.truncate(before);
    } else if before > 0 {
        // `{…}{…}` becomes `{…,…}`.
        json.splice(before - 1..=before, [b',']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additional_members_are_put_into_one_object() {
        let event = Event::new(Uuid::nil(), true);
        event.additional("a", "1");
        event.additional("b", "2");
        extend(&mut event.notes().additional, |_| {});
        assert_eq!(event.notes().additional, br#"{"a":"1","b":"2"}"#);
    }

    #[test]
    fn nothing_is_noted_of_what_is_not_recorded() {
        let event = Event::new(Uuid::nil(), false);
        event.additional("a", "1");
        event.resource("arn");
        assert!(event.notes().additional.is_empty() && event.notes().resources.is_empty());
    }
}
