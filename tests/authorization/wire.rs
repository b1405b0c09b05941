//! Requests over HTTP, signed well or badly.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use trent_sigv4::{Credentials, Request, body_sha256, presign, sign};
use trent_testkit::{HttpAnswer, connect, receive};

use crate::case::{Answer, Signing};

/// Who signs.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// A request before it is signed.
pub(crate) struct Draft<'a> {
    pub(crate) signer: &'a Signer,
    pub(crate) region: &'a str,
    /// In seconds since 1970.
    pub(crate) now: i64,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) signing: Signing,
}

/// A server, and a connection to it.
pub(crate) struct Wire {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Wire {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Asks an operation of the API.
    pub(crate) fn ask(&mut self, operation: &str, mut draft: Draft<'_>) -> Answer {
        draft.headers.insert(0, ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()));
        draft.headers.insert(1, ("x-amz-target".to_owned(), format!("TrentService.{operation}")));
        let answer = self.send(draft, "kms");
        let json = answer.json();
        if answer.status == 200 {
            return Ok(json);
        }
        let text = |member: &str| json[member].as_str().map(str::to_owned);
        let code = text("__type").expect("a code");
        Err(match text("message").or_else(|| text("Message")) {
            Some(message) => format!("{code}: {message}"),
            None => code,
        })
    }

    /// Begins a session of a role, as the body says.
    pub(crate) fn assume(&mut self, mut draft: Draft<'_>) -> Signer {
        draft.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        let answer = self.send(draft, "sts");
        let text = String::from_utf8(answer.body).expect("text");
        assert_eq!(answer.status, 200, "{text}");
        session_of(&text)
    }

    fn send(&mut self, draft: Draft<'_>, service: &str) -> HttpAnswer {
        let bytes = self.bytes(draft, service);
        let mut stream = self.stream.take().unwrap_or_else(|| connect(self.address).expect("a connection"));
        stream.write_all(&bytes).expect("it is sent");
        let answer = receive(&mut stream).expect("an answer");
        if !answer.closes() {
            self.stream = Some(stream);
        }
        answer
    }

    fn bytes(&self, draft: Draft<'_>, service: &str) -> Vec<u8> {
        let Draft { signer, region, now, mut headers, body, signing } = draft;
        headers.insert(0, ("host".to_owned(), self.address.to_string()));
        headers.extend(signing.add.iter().cloned());
        let is_signed = |name: &str| !signing.unsigned.iter().any(|other| other == name);
        let lines: Vec<_> = headers.iter().filter(|(name, _)| is_signed(name)).collect();
        let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let request = Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &lines[..],
            body_sha256: body_sha256(body.as_bytes()),
        };
        let credentials = Credentials {
            access_key_id: signing.access_key.as_deref().unwrap_or(&signer.access_key),
            secret_access_key: signing.secret.as_deref().unwrap_or(&signer.secret).as_bytes(),
            session_token: signer.token.as_deref(),
            region: signing.region.as_deref().unwrap_or(region),
            service: signing.service.as_deref().unwrap_or(service),
        };
        let mut path = "/".to_owned();
        match signing.presigned {
            Some(_) => {
                let query = presign(&request, &credentials, now + signing.seconds, signing.presigned);
                path = format!("/?{}", query.expect("it can be signed"));
            }
            None => {
                let signed = sign(&request, &credentials, now + signing.seconds).expect("it can be signed");
                let algorithm = signing.algorithm.as_deref().unwrap_or("AWS4-HMAC-SHA256");
                let authorization = signed.authorization.replace("AWS4-HMAC-SHA256", algorithm);
                headers.push(("authorization".to_owned(), authorization));
                headers.push(("x-amz-date".to_owned(), signed.x_amz_date));
                headers.extend(
                    signed.x_amz_security_token.map(|token| ("x-amz-security-token".to_owned(), token)),
                );
            }
        }
        let body = signing.body.as_ref().unwrap_or(&body);
        let mut text = format!("POST {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers.iter().filter(|(name, _)| !signing.without.contains(name)) {
            text += &format!("{name}: {}\r\n", signing.set.get(name).unwrap_or(value));
        }
        (text + "\r\n" + body).into_bytes()
    }
}

/// The body of a request for a session of a role.
pub(crate) fn assume_role(role: &str, name: &str, policy: Option<&Value>) -> String {
    let policy = policy.map_or(String::new(), |policy| format!("&Policy={}", encoded(&policy.to_string())));
    let role = encoded(role);
    format!("Action=AssumeRole&Version=2011-06-15&RoleArn={role}&RoleSessionName={name}{policy}")
}

/// The credentials in an answer of STS.
pub(crate) fn session_of(answer: &str) -> Signer {
    let between = |tag: &str| {
        let (_, rest) = answer.split_once(&format!("<{tag}>")).expect("a tag");
        rest.split('<').next().expect("a value").to_owned()
    };
    Signer {
        access_key: between("AccessKeyId"),
        secret: between("SecretAccessKey"),
        token: Some(between("SessionToken")),
    }
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
