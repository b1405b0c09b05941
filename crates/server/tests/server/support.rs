//! A running server, a client that signs, and HTTP/1.1 by hand: what a library would put right cannot be tested
//! with it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use trent_server::{Limits, Listen, Metrics, Server, Settings, Tls};
use trent_service::Service;
use trent_service::admin::{Command, Reply};
use trent_sigv4::{Credentials, Request, body_sha256};
use trent_testkit::{ACCOUNT, TestKms};

pub(crate) const HOST: &str = "localhost";
pub(crate) const REGION: &str = "eu-central-1";

/// A server on a free port of loopback, with one access key that may do everything.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) metrics: Metrics,
    pub(crate) service: Arc<Service>,
    // Holds the directory of the database.
    _kms: TestKms,
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) runtime: Runtime,
}

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) fn plain() -> Settings {
    Settings {
        listeners: vec![Listen { address: loopback(), tls: None, endpoint: None }],
        cores: 2,
        ..Settings::default()
    }
}

pub(crate) fn with_tls(tls: &Arc<Tls>) -> Settings {
    Settings {
        listeners: vec![Listen { address: loopback(), tls: Some(Arc::clone(tls)), endpoint: None }],
        ..plain()
    }
}

pub(crate) fn with_limits(limits: Limits) -> Settings {
    Settings { limits, ..plain() }
}

impl Running {
    pub(crate) fn start(settings: Settings) -> Self {
        let runtime = Runtime::new().unwrap();
        let kms = runtime.block_on(TestKms::new());
        let service = Arc::clone(&kms.service);
        let command = Command::AddAccessKey { account: ACCOUNT.parse().unwrap(), user: None };
        let Reply::NewAccessKey { id, secret } = runtime.block_on(service.administer(command)) else {
            panic!("no access key")
        };
        let metrics = Metrics::new();
        let server = Server::start(settings, Arc::clone(&service), &metrics).unwrap();
        Self { server, metrics, service, _kms: kms, access_key: id, secret: secret.into(), runtime }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address())
    }

    /// A request of an operation, signed, as bytes.
    pub(crate) fn request(&self, operation: &str, body: &str) -> Vec<u8> {
        self.signed(&Draft {
            target: &format!("TrentService.{operation}"),
            body: body.as_bytes(),
            ..Draft::new(self)
        })
    }

    pub(crate) fn signed(&self, draft: &Draft<'_>) -> Vec<u8> {
        let headers = self.headers(draft);
        let mut bytes = format!("POST {} HTTP/1.1\r\n", draft.path).into_bytes();
        for (name, value) in &headers {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        bytes.extend(format!("content-length: {}\r\n\r\n", draft.body.len()).bytes());
        bytes.extend(draft.body);
        bytes
    }

    /// The headers of a request, with its signature.
    pub(crate) fn headers(&self, draft: &Draft<'_>) -> Vec<(String, String)> {
        let mut headers = vec![
            ("host".to_owned(), HOST.to_owned()),
            ("content-type".to_owned(), draft.content_type.to_owned()),
            ("x-amz-target".to_owned(), draft.target.to_owned()),
        ];
        headers.extend(draft.more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let lines: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let request = Request {
            method: "POST",
            path: draft.path,
            query: "",
            headers: &lines[..],
            body_sha256: body_sha256(draft.body),
        };
        let credentials = Credentials {
            access_key_id: draft.access_key,
            secret_access_key: draft.secret.as_bytes(),
            session_token: draft.session_token,
            region: draft.region,
            service: draft.service,
        };
        let now = self.service.now().seconds() + draft.seconds_late;
        let signed = trent_sigv4::sign(&request, &credentials, now).unwrap();
        headers.push(("x-amz-date".to_owned(), signed.x_amz_date));
        headers.push(("authorization".to_owned(), signed.authorization));
        headers.extend(signed.x_amz_security_token.map(|token| ("x-amz-security-token".to_owned(), token)));
        headers
    }

    /// Sends one request on a connection of its own.
    pub(crate) fn ask(&self, bytes: &[u8]) -> Response {
        exchange(&mut self.connect(), bytes)
    }

    /// Whether a metric comes to have this value; what ends a connection is counted just after its end.
    pub(crate) fn comes_to(&self, line: &str, value: u64) -> bool {
        (0..200).any(|_| {
            let there = self.metric(line) == Some(value);
            if !there {
                std::thread::sleep(Duration::from_millis(10));
            }
            there
        })
    }

    pub(crate) fn metric(&self, line: &str) -> Option<u64> {
        let text = self.metrics.encode().unwrap();
        text.lines().find_map(|other| other.strip_prefix(line)?.trim().parse().ok())
    }
}

/// What is signed, and how.
pub(crate) struct Draft<'d> {
    pub(crate) target: &'d str,
    pub(crate) body: &'d [u8],
    pub(crate) path: &'d str,
    pub(crate) content_type: &'d str,
    pub(crate) access_key: &'d str,
    pub(crate) secret: &'d str,
    pub(crate) session_token: Option<&'d str>,
    pub(crate) region: &'d str,
    pub(crate) service: &'d str,
    pub(crate) seconds_late: i64,
    pub(crate) more: &'d [(&'d str, &'d str)],
}

impl<'d> Draft<'d> {
    pub(crate) fn new(running: &'d Running) -> Self {
        Self {
            target: "TrentService.ListKeys",
            body: b"{}",
            path: "/",
            content_type: "application/x-amz-json-1.1",
            access_key: &running.access_key,
            secret: &running.secret,
            session_token: None,
            region: REGION,
            service: "kms",
            seconds_late: 0,
            more: &[],
        }
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["__type"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn message(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["message"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) fn exchange(stream: &mut (impl Read + Write), bytes: &[u8]) -> Response {
    stream.write_all(bytes).unwrap();
    receive(stream).expect("an answer")
}

/// Reads one answer, or the end of the connection.
pub(crate) fn receive(stream: &mut impl Read) -> io::Result<Response> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut response = Response { status, head, body: Vec::new() };
    let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
    response.body = vec![0; length];
    stream.read_exact(&mut response.body)?;
    Ok(response)
}

/// Whether the other side has closed, by a reset or in order.
pub(crate) fn is_closed(stream: &mut impl Read) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
    }
}
