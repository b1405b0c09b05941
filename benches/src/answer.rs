//! Reads HTTP/1.1 answers, and tells right ones from wrong ones.
//!
//! Just what hyper sends to a keep-alive client that waits for each answer: a status line, headers with a
//! `content-length`, the body. Anything else is an error, which ends the measurement.

use anyhow::{Context, Result, bail, ensure};

const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

/// The answer in `bytes`, when it is there to its end.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Answer<'_>>> {
    let Some(head_end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        ensure!(bytes.len() < HEAD_BYTES_MAX, "an answer whose head does not end");
        return Ok(None);
    };
    let (head, rest) = bytes.split_at(head_end);
    let length = content_length(head).context("an answer without `content-length`")?;
    let Some(body) = rest.get(4..4 + length) else { return Ok(None) };
    ensure!(rest.len() == 4 + length, "more than one answer to one request");
    Ok(Some(Answer { status: status(head).context("not an answer of HTTP/1.1")?, body }))
}

fn status(head: &[u8]) -> Option<u16> {
    str::from_utf8(head.strip_prefix(b"HTTP/1.1 ")?.get(..3)?).ok()?.parse().ok()
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let mut lines = head.split(|byte| *byte == b'\n');
    let is_length = |line: &&[u8]| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME));
    str::from_utf8(lines.find(is_length)?.get(NAME.len()..)?).ok()?.trim().parse().ok()
}

/// What a right answer is; its status is 200, but for a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Whatever the body is.
    Success,
    /// A body of this many bytes: what is in it is random.
    Bytes(usize),
    /// This body.
    Body(Vec<u8>),
    /// A refusal instead: a status of 400, and whatever the body is.
    Refusal,
}

impl Expected {
    /// Fails on a wrong answer, and says what it was.
    pub(crate) fn check(&self, answer: &Answer<'_>) -> Result<()> {
        let status = if *self == Self::Refusal { 400 } else { 200 };
        let right = answer.status == status
            && match self {
                Self::Success | Self::Refusal => true,
                Self::Bytes(length) => answer.body.len() == *length,
                Self::Body(body) => answer.body == body.as_slice(),
            };
        if !right {
            bail!("answered {} with {}", answer.status, String::from_utf8_lossy(answer.body));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\na: b\r\n\r\n{}";

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        for end in 0..WHOLE.len() {
            assert_eq!(read(&WHOLE[..end]).unwrap(), None);
        }
        assert_eq!(read(WHOLE).unwrap().unwrap(), Answer { status: 200, body: b"{}" });
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        assert!(read(&[WHOLE, b"x"].concat()).is_err());
        assert!(read(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(read(b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").is_err());
        assert!(read(&[b'x'; HEAD_BYTES_MAX]).is_err());
    }

    #[test]
    fn wrong_answers_are_told() {
        let answer = Answer { status: 200, body: b"{}" };
        assert!(Expected::Success.check(&answer).is_ok());
        assert!(Expected::Bytes(2).check(&answer).is_ok());
        assert!(Expected::Body(b"{}".to_vec()).check(&answer).is_ok());
        assert!(Expected::Bytes(3).check(&answer).is_err());
        assert!(Expected::Body(b"[]".to_vec()).check(&answer).is_err());
        let refusal = Answer { status: 400, body: b"{}" };
        assert!(Expected::Success.check(&refusal).is_err());
        assert!(Expected::Refusal.check(&refusal).is_ok() && Expected::Refusal.check(&answer).is_err());
    }
}
