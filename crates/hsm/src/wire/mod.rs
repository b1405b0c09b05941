//! Frames between a process and its worker: a length, a version, the number of the call, the message.
//!
//! Both ends are the same binary as a rule, and the version says so where they are not. Lengths are bounded before
//! anything is allocated: the other end runs foreign code.

mod fields;

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

pub(crate) use fields::{Malformed, Reader, Writer};

/// Counted up with every change of the messages.
const VERSION: u8 = 3;
/// Bytes of a frame behind its length: a plaintext of the API with all its additional data has room many times over.
const FRAME_BYTES_MAX: usize = 512 * 1024;
const HEAD_BYTES: usize = 1 + 8;

/// A message, and the number of the call that it belongs to.
pub(crate) struct Frame {
    pub(crate) call: u64,
    pub(crate) message: Zeroizing<Vec<u8>>,
}

/// Writes a frame, all of it or an error.
pub(crate) fn write(stream: &mut impl Write, call: u64, message: &[u8]) -> io::Result<()> {
    let length = HEAD_BYTES + message.len();
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is too long for a frame"));
    }
    let length = u32::try_from(length).map_err(io::Error::other)?;
    let mut frame = Zeroizing::new(Vec::with_capacity(4 + HEAD_BYTES + message.len()));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.push(VERSION);
    frame.extend_from_slice(&call.to_be_bytes());
    frame.extend_from_slice(message);
    stream.write_all(&frame)
}

/// Reads a frame; nothing when the other end has closed between two of them.
pub(crate) fn read(stream: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut length = [0; 4];
    if !read_first(stream, &mut length)? {
        return Ok(None);
    }
    let length = u32::from_be_bytes(length) as usize;
    if !(HEAD_BYTES..=FRAME_BYTES_MAX).contains(&length) {
        return Err(broken("the length of a frame is out of bounds"));
    }
    let mut head = [0; HEAD_BYTES];
    stream.read_exact(&mut head)?;
    let [version, call @ ..] = head;
    if version != VERSION {
        return Err(broken("the other end speaks another version"));
    }
    let mut message = Zeroizing::new(vec![0; length - HEAD_BYTES]);
    stream.read_exact(&mut message)?;
    Ok(Some(Frame { call: u64::from_be_bytes(call), message }))
}

/// Whether there is anything; then all of `bytes`.
fn read_first(stream: &mut impl Read, bytes: &mut [u8; 4]) -> io::Result<bool> {
    let (first, rest) = bytes.split_at_mut(1);
    loop {
        match stream.read(first) {
            Ok(0) => return Ok(false),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    stream.read_exact(rest).map(|()| true)
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(call: u64, message: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, call, message).unwrap();
        bytes
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let mut stream = [written(7, b"first"), written(u64::MAX, b"")].concat();
        let mut stream = io::Cursor::new(&mut stream);
        let first = read(&mut stream).unwrap().unwrap();
        assert_eq!((first.call, first.message.as_slice()), (7, &b"first"[..]));
        let second = read(&mut stream).unwrap().unwrap();
        assert_eq!((second.call, second.message.as_slice()), (u64::MAX, &b""[..]));
        assert!(read(&mut stream).unwrap().is_none());
    }

    #[test]
    fn what_is_no_frame_is_refused_before_it_is_read() {
        let kind = |bytes: &[u8]| read(&mut &*bytes).map(|_| ()).unwrap_err().kind();
        let whole = written(7, b"message");
        assert_eq!(kind(&whole[..whole.len() - 1]), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(&whole[..2]), io::ErrorKind::UnexpectedEof);
        let mut other_version = whole.clone();
        other_version[4] = VERSION + 1;
        assert_eq!(kind(&other_version), io::ErrorKind::InvalidData);
        for length in [0, 8, FRAME_BYTES_MAX as u32 + 1, u32::MAX] {
            assert_eq!(kind(&length.to_be_bytes()), io::ErrorKind::InvalidData, "{length}");
        }
        let long = vec![0; FRAME_BYTES_MAX];
        assert_eq!(write(&mut Vec::new(), 1, &long).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
