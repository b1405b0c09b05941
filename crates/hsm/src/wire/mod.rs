//! What goes between a process and its worker: a version, a lane, the number of the call, the message.
//!
//! Sockets keep messages whole (`SOCK_SEQPACKET`), so that any thread may send and any may receive, without a lock and
//! without waiting for another. All calls come over one socket; a call names the lane, a socket too, that its answer is
//! waited for at. Both ends are the same binary as a rule, and the version says so where they are not.
//! What is received has a bound: the other end runs foreign code.

mod fields;

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_send_buffer_size, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use tokio::io::Interest;
use zeroize::{Zeroize, Zeroizing};

pub(crate) use fields::{Malformed, Reader, Writer};

/// Counted up with every change of the messages.
const VERSION: u8 = 4;
/// Bytes of a message with its head: a plaintext of the API with all its additional data has room many times over, and
/// Linux sends as much at once where nobody changed its defaults.
const BYTES_MAX: usize = 192 * 1024;
/// What the socket may hold that was not received yet, if the system allows as much.
const SENT_BYTES_MAX: usize = 2 * BYTES_MAX;
const HEAD_BYTES: usize = 1 + 1 + 8;
/// Lanes of a worker at most.
pub(crate) const LANES_MAX: usize = 64;
/// What it takes to send and receive as many sockets.
const ANCILLARY_BYTES: usize = rustix::cmsg_space!(ScmRights(LANES_MAX));

/// A call, and where its answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    /// 0 for the socket that calls come over.
    pub(crate) lane: u8,
    pub(crate) number: u64,
}

/// One end of the way between a process and its worker.
pub(crate) struct Socket(OwnedFd);

impl Socket {
    /// Both ends.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (own, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        for end in [&own, &theirs] {
            set_socket_send_buffer_size(end, SENT_BYTES_MAX)?;
        }
        Ok((Self(own), theirs))
    }

    /// How long sending and receiving may take; without one, for ever.
    pub(crate) fn limit(&self, sending: Option<Duration>, receiving: Option<Duration>) -> io::Result<()> {
        set_socket_timeout(&self.0, Timeout::Send, sending)?;
        Ok(set_socket_timeout(&self.0, Timeout::Recv, receiving)?)
    }

    /// Sends a message, all of it or an error. While there is no room it waits, for as long as the limit allows.
    pub(crate) fn send(&self, call: Call, message: &[u8]) -> io::Result<()> {
        self.send_with(call, message, &[], SendFlags::empty())
    }

    /// Sends a message, or is told that it would have to wait ([`io::ErrorKind::WouldBlock`]).
    pub(crate) fn send_at_once(&self, call: Call, message: &[u8]) -> io::Result<()> {
        self.send_with(call, message, &[], SendFlags::DONTWAIT)
    }

    /// Sends a message and the ends of sockets, up to [`LANES_MAX`].
    pub(crate) fn send_ends(&self, call: Call, message: &[u8], ends: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_with(call, message, ends, SendFlags::empty())
    }

    fn send_with(
        &self,
        call: Call,
        message: &[u8],
        ends: &[BorrowedFd<'_>],
        flags: SendFlags,
    ) -> io::Result<()> {
        if !fits(message) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is too long"));
        }
        let head = head(call);
        let parts = [IoSlice::new(&head), IoSlice::new(message)];
        let mut space = [MaybeUninit::uninit(); ANCILLARY_BYTES];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !ends.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(ends)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many sockets"));
        }
        let flags = flags | SendFlags::NOSIGNAL;
        let sent = rustix::io::retry_on_intr(|| sendmsg(&self.0, &parts, &mut beside, flags));
        sent.map(drop).map_err(|errno| match errno {
            // Others have the memory for now.
            Errno::NOBUFS | Errno::NOMEM => io::ErrorKind::WouldBlock.into(),
            Errno::MSGSIZE => io::ErrorKind::InvalidInput.into(),
            errno => errno.into(),
        })
    }

    /// The next message; nothing when the other end has closed.
    pub(crate) fn receive<'a>(&self, buffer: &'a mut Buffer) -> io::Result<Option<Message<'a>>> {
        buffer.receive(self.0.as_fd(), &mut RecvAncillaryBuffer::default(), RecvFlags::empty())
    }

    /// The next message, and the ends of sockets that came with it.
    pub(crate) fn receive_ends<'a>(
        &self,
        buffer: &'a mut Buffer,
    ) -> io::Result<Option<(Message<'a>, Vec<Self>)>> {
        let mut space = [MaybeUninit::uninit(); ANCILLARY_BYTES];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let message = buffer.receive(self.0.as_fd(), &mut beside, RecvFlags::CMSG_CLOEXEC)?;
        let ends = beside.drain().flat_map(|came| match came {
            RecvAncillaryMessage::ScmRights(ends) => ends.map(Self).collect(),
            _ => Vec::new(),
        });
        let ends = ends.collect();
        Ok(message.map(|message| (message, ends)))
    }

    /// To receive in this runtime.
    pub(crate) fn into_async(self) -> io::Result<AsyncSocket> {
        let socket = UnixDatagram::from(self.0);
        socket.set_nonblocking(true)?;
        // What tokio calls so does with any socket that keeps messages whole what is asked of it here.
        Ok(AsyncSocket(tokio::net::UnixDatagram::from_std(socket)?))
    }
}

/// A socket that is received from in a runtime.
pub(crate) struct AsyncSocket(tokio::net::UnixDatagram);

impl AsyncSocket {
    /// Waits until there may be a message.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    /// The next message; nothing when the other end has closed; [`io::ErrorKind::WouldBlock`] when there is none yet.
    pub(crate) fn receive<'a>(&self, buffer: &'a mut Buffer) -> io::Result<Option<Message<'a>>> {
        self.0.try_io(Interest::READABLE, || self.receive_rest(buffer))
    }

    /// The same, whether the runtime is still there or not.
    pub(crate) fn receive_rest<'a>(&self, buffer: &'a mut Buffer) -> io::Result<Option<Message<'a>>> {
        buffer.receive(self.0.as_fd(), &mut RecvAncillaryBuffer::default(), RecvFlags::DONTWAIT)
    }

    /// Lets nothing more be sent. What was is still received.
    pub(crate) fn close(&self) {
        // What is shut already need not be.
        let _ = self.0.shutdown(std::net::Shutdown::Read);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Socket {
    fn from(end: OwnedFd) -> Self {
        Self(end)
    }
}

/// Where messages are received, one after the other. Nothing of one is left when the next is waited for.
pub(crate) struct Buffer {
    bytes: Zeroizing<Vec<u8>>,
    used: usize,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        Self { bytes: Zeroizing::new(vec![0; BYTES_MAX]), used: 0 }
    }

    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        beside: &mut RecvAncillaryBuffer<'_>,
        flags: RecvFlags,
    ) -> io::Result<Option<Message<'_>>> {
        self.wipe();
        let received = rustix::io::retry_on_intr(|| {
            recvmsg(socket, &mut [IoSliceMut::new(&mut self.bytes)], beside, flags)
        })?;
        self.used = received.bytes;
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Err(broken("a message is too long"));
        }
        match self.bytes.get(..received.bytes) {
            // There are no empty ones: this is the end.
            None | Some([]) => Ok(None),
            Some(received) => Message::of(received).map(Some),
        }
    }

    fn wipe(&mut self) {
        self.bytes.iter_mut().take(self.used).for_each(Zeroize::zeroize);
        self.used = 0;
    }
}

/// A message, and the call that it belongs to.
pub(crate) struct Message<'a> {
    pub(crate) call: Call,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// What was received at once.
    pub(crate) fn of(received: &'a [u8]) -> io::Result<Self> {
        let Some(([version, lane, number @ ..], bytes)) = received.split_first_chunk::<HEAD_BYTES>() else {
            return Err(broken("a message is too short"));
        };
        if *version != VERSION {
            return Err(broken("the other end speaks another version"));
        }
        Ok(Self { call: Call { lane: *lane, number: u64::from_be_bytes(*number) }, bytes })
    }
}

/// Whether a message is short enough to be sent.
pub(crate) const fn fits(message: &[u8]) -> bool {
    HEAD_BYTES + message.len() <= BYTES_MAX
}

/// What stands before a message.
pub(crate) fn head(call: Call) -> [u8; HEAD_BYTES] {
    let [a, b, c, d, e, f, g, h] = call.number.to_be_bytes();
    [VERSION, call.lane, a, b, c, d, e, f, g, h]
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Socket, Socket) {
        let (own, theirs) = Socket::pair().unwrap();
        (own, theirs.into())
    }

    const fn call(lane: u8, number: u64) -> Call {
        Call { lane, number }
    }

    #[tokio::test]
    async fn messages_are_received_as_they_were_sent() {
        let (own, theirs) = pair();
        let longest = vec![7; BYTES_MAX - HEAD_BYTES];
        own.send(call(0, 7), b"first").unwrap();
        own.send(call(255, u64::MAX), b"").unwrap();
        own.send_at_once(call(1, 8), &longest).unwrap();
        let mut buffer = Buffer::new();
        for (sent, bytes) in [(call(0, 7), &b"first"[..]), (call(255, u64::MAX), b""), (call(1, 8), &longest)]
        {
            let received = theirs.receive(&mut buffer).unwrap().unwrap();
            assert_eq!((received.call, received.bytes == bytes), (sent, true));
        }
        let theirs = theirs.into_async().unwrap();
        let waits = theirs.receive(&mut buffer).err().unwrap();
        assert_eq!(waits.kind(), io::ErrorKind::WouldBlock);
        own.send(call(1, 9), b"last").unwrap();
        theirs.readable().await.unwrap();
        assert_eq!(theirs.receive(&mut buffer).unwrap().unwrap().bytes, b"last");
        drop(own);
        assert!(theirs.receive(&mut buffer).unwrap().is_none());
        assert!(buffer.bytes.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn ends_of_sockets_are_sent_too() {
        let (own, theirs) = pair();
        let lanes: Vec<_> = std::iter::repeat_with(pair).take(LANES_MAX).collect();
        let ends: Vec<_> = lanes.iter().map(|(_, end)| end.as_fd()).collect();
        own.send_ends(call(0, 1), b"ends", &ends).unwrap();
        let mut buffer = Buffer::new();
        let (message, ends) = theirs.receive_ends(&mut buffer).unwrap().unwrap();
        assert_eq!((message.bytes, ends.len()), (&b"ends"[..], LANES_MAX));
        ends.last().unwrap().send(call(9, 2), b"answer").unwrap();
        let (last, _) = lanes.last().unwrap();
        assert_eq!(last.receive(&mut buffer).unwrap().unwrap().call, call(9, 2));
    }

    #[test]
    fn what_does_not_fit_is_not_sent() {
        let (own, _theirs) = pair();
        let kind = |message: &[u8]| own.send(call(0, 1), message).unwrap_err().kind();
        assert_eq!(kind(&vec![0; BYTES_MAX - HEAD_BYTES + 1]), io::ErrorKind::InvalidInput);
        let full = loop {
            if let Err(error) = own.send_at_once(call(0, 1), &[0; 100 * 1024]) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let (own, theirs) = pair();
        let other_version = [VERSION + 1; HEAD_BYTES];
        for sent in [&[VERSION; HEAD_BYTES - 1][..], &other_version, &vec![VERSION; BYTES_MAX + 1]] {
            rustix::io::write(&own.0, sent).unwrap();
            let refused = theirs.receive(&mut Buffer::new()).err().unwrap();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        }
    }
}
