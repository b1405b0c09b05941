//! What both ends of the socket make of whatever comes, for the fuzz target `hsm_frames`.

use crate::message::{Reply, Request};
use crate::wire::{self, Message};

/// Takes what the socket received for a request and for a reply. What is understood is said again in the same way.
pub fn take(received: &[u8]) {
    if let Ok(message) = Message::of(received) {
        take_request(message.bytes);
        take_reply(message.bytes);
        assert_eq!([&wire::head(message.call), message.bytes].concat(), received, "a message has one form");
    }
}

/// Takes a message for a request.
pub fn take_request(message: &[u8]) {
    if let Ok(request) = Request::decode(message) {
        assert_eq!(*request.encode(), message, "a request has one form");
    }
}

/// Takes a message for a reply.
pub fn take_reply(message: &[u8]) {
    if let Ok(reply) = Reply::decode(message) {
        // Texts of errors that have none are left out.
        let said = reply.encode();
        let again = Reply::decode(&said).map(|reply| reply.encode());
        assert_eq!(again.as_deref().ok(), Some(&*said), "what is said is understood");
    }
}
