//! What both ends of the socket make of whatever comes, for the fuzz target `hsm_frames`.

use crate::message::{Reply, Request};
use crate::wire;

/// Reads frames until no more is there, and takes each message for a request and for a reply. What is understood is said
/// again in the same way.
pub fn take(mut stream: &[u8]) {
    while let Ok(Some(frame)) = wire::read(&mut stream) {
        take_request(&frame.message);
        take_reply(&frame.message);
        let mut again = Vec::new();
        let written = wire::write(&mut again, frame.call, &frame.message);
        assert!(written.is_ok(), "what fitted into a frame fits again");
        let read = wire::read(&mut &*again);
        assert!(matches!(read, Ok(Some(read)) if read.call == frame.call && read.message == frame.message));
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
