//! What a client may take of the server's time and memory.

use std::time::Duration;

/// Limits of a set of listeners. All can be set; the defaults suit SDKs, which send small requests over few
/// connections.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a TLS handshake may take. Default: 10 s.
    pub handshake: Duration,
    /// How long the head of a request may take, from its first byte to its last (HTTP/1). Default: 10 s.
    pub header_read: Duration,
    /// How long a request may take from the end of its head to the answer, a slow body included. Default: 30 s.
    pub request: Duration,
    /// How long a connection may lie idle. Default: 120 s.
    pub idle: Duration,
    /// Largest body, in bytes. Default: 1 MiB.
    pub body_bytes_max: usize,
    /// Bytes of large bodies (those that come in more than one piece) in memory at one time, over all
    /// connections. Default: 256 MiB.
    pub bodies_bytes_max: usize,
    /// Connections at one time. Default: 20,000.
    pub connections_max: usize,
    /// Connections at one time from one address. Default: no limit, since many clients may sit behind one.
    pub connections_per_source_max: Option<usize>,
    /// Largest head of a request, in bytes; 8 KiB at least. Default: 32 KiB.
    pub header_bytes_max: usize,
    /// Most header lines of a request. Default: 100.
    pub headers_max: usize,
    /// Requests at one time on one HTTP/2 connection. Default: 128.
    pub http2_streams_max: u32,
    /// Streams that an HTTP/2 client has reset and the server has not yet seen to; one more ends the
    /// connection. Default: 20.
    pub http2_pending_resets_max: usize,
    /// Streams that the server had to reset on one HTTP/2 connection; one more ends it. Default: 128.
    pub http2_errors_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            header_read: Duration::from_secs(10),
            request: Duration::from_secs(30),
            idle: Duration::from_secs(120),
            body_bytes_max: 1024 * 1024,
            bodies_bytes_max: 256 * 1024 * 1024,
            connections_max: 20_000,
            connections_per_source_max: None,
            header_bytes_max: 32 * 1024,
            headers_max: 100,
            http2_streams_max: 128,
            http2_pending_resets_max: 20,
            http2_errors_max: 128,
        }
    }
}
