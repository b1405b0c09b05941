//! A client that signs its requests and speaks HTTP/1.1 on one connection, for tests of the running binary.
//!
//! By hand, because tests must see a connection break where a library would try again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::SystemTime;

use serde_json::Value;
use trent_sigv4::{Credentials, Request, body_sha256, sign};

use crate::kms::REGION;
use crate::process::{FIRST_ACCESS_KEY, FIRST_SECRET, PATIENCE};

/// Signs requests.
#[derive(Clone)]
pub struct Signer {
    /// The access key.
    pub access_key: String,
    /// Its secret.
    pub secret: String,
    /// The Region that requests are for.
    pub region: String,
}

impl Default for Signer {
    /// The administrator whom [`crate::serve`] makes, in [`REGION`].
    fn default() -> Self {
        Self::new(FIRST_ACCESS_KEY, FIRST_SECRET)
    }
}

impl Signer {
    /// Signs with this access key in [`REGION`].
    pub fn new(access_key: &str, secret: &str) -> Self {
        Self { access_key: access_key.to_owned(), secret: secret.to_owned(), region: REGION.to_owned() }
    }

    /// The headers of a request of an operation, `host` the first of them.
    #[expect(
        clippy::disallowed_methods,
        reason = "the binary goes by the system's clock, so its clients must"
    )]
    pub fn headers(&self, host: &str, operation: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("host", host.to_owned()),
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", format!("TrentService.{operation}")),
        ];
        let lines: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let request = Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &lines[..],
            body_sha256: body_sha256(body),
        };
        let credentials = Credentials {
            access_key_id: &self.access_key,
            secret_access_key: self.secret.as_bytes(),
            session_token: None,
            region: &self.region,
            service: "kms",
        };
        let now =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_secs();
        let signed = sign(&request, &credentials, now.cast_signed()).expect("it can be signed");
        headers.push(("x-amz-date", signed.x_amz_date));
        headers.push(("authorization", signed.authorization));
        headers
    }

    /// A whole request of an operation, as HTTP/1.1 has it.
    pub fn request(&self, host: &str, operation: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = b"POST / HTTP/1.1\r\n".to_vec();
        for (name, value) in self.headers(host, operation, body) {
            bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
        bytes.extend(body);
        bytes
    }
}

/// A client with one connection, made when it is first needed and after it broke.
pub struct Client {
    address: SocketAddr,
    signer: Signer,
    stream: Option<TcpStream>,
}

impl Client {
    /// A client of the API at `address`.
    pub fn new(address: SocketAddr, signer: Signer) -> Self {
        Self { address, signer, stream: None }
    }

    /// Calls an operation: status and body of the answer.
    ///
    /// # Errors
    /// When the connection breaks before the answer is complete; whether anything was done is not known then.
    pub fn call(&mut self, operation: &str, body: &Value) -> io::Result<(u16, Value)> {
        let request = self.signer.request(&self.address.to_string(), operation, body.to_string().as_bytes());
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address)?,
        };
        stream.write_all(&request)?;
        let answer = receive(&mut stream)?;
        if !answer.closes() {
            self.stream = Some(stream);
        }
        Ok((answer.status, answer.json()))
    }

    /// The body of the answer of an operation that succeeds.
    #[track_caller]
    pub fn ok(&mut self, operation: &str, body: &Value) -> Value {
        match self.call(operation, body) {
            Ok((200, answer)) => answer,
            other => panic!("{operation} {body}: {other:?}"),
        }
    }
}

/// Connects, and waits for answers no longer than is patient.
///
/// # Errors
/// When nobody listens.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// An answer.
#[derive(Debug)]
pub struct HttpAnswer {
    /// Its status.
    pub status: u16,
    /// All up to the empty line.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether the server closes the connection after it.
    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Its body; nothing if that is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Reads one answer.
///
/// # Errors
/// When the connection ends before it is complete.
pub fn receive(stream: &mut impl Read) -> io::Result<HttpAnswer> {
    let mut bytes = Vec::with_capacity(1024);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => bytes.extend(piece.iter().take(read)),
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).map_err(|_| ErrorKind::InvalidData)?;
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    let mut answer = HttpAnswer { status, head, body: Vec::new() };
    let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let had = body.len();
    if had > length {
        // Whoever sends one request after the other reads each answer before the next.
        return Err(io::Error::new(ErrorKind::InvalidData, "more than the answer"));
    }
    body.resize(length, 0);
    stream.read_exact(body.get_mut(had..).unwrap_or_default())?;
    answer.body = body;
    Ok(answer)
}
