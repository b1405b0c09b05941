//! HTTP/2 by hand, as far as tests need what a library would not send, or want to see what is sent.

/// What a client sends first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames, RFC 9113 6.
pub mod kind {
    /// The body of a message.
    pub const DATA: u8 = 0;
    /// The head of a message, or its beginning.
    pub const HEADERS: u8 = 1;
    /// The end of a stream by force.
    pub const RST_STREAM: u8 = 3;
    /// Settings of a connection.
    pub const SETTINGS: u8 = 4;
    /// A question whether the other side is there.
    pub const PING: u8 = 6;
    /// More of a head.
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    /// Nothing follows on this stream.
    pub const END_STREAM: u8 = 1;
    /// The head is complete.
    pub const END_HEADERS: u8 = 4;
}

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header with its name written out, neither compressed nor remembered: RFC 7541 6.2.2.
pub fn header(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[0][..], &length(name.len()), name, &length(value.len()), value].concat()
}

/// The length of a text, with a prefix of 7 bits: RFC 7541 5.1.
fn length(length: usize) -> Vec<u8> {
    const PREFIX_MAX: usize = 127;
    let byte = |number: usize| u8::try_from(number).expect("below 256");
    if length < PREFIX_MAX {
        return vec![byte(length)];
    }
    let (mut bytes, mut rest) = (vec![byte(PREFIX_MAX)], length - PREFIX_MAX);
    while rest >= 128 {
        bytes.push(byte(rest % 128) | 128);
        rest /= 128;
    }
    bytes.push(byte(rest));
    bytes
}
