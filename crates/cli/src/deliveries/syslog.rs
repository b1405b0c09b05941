//! Records as messages of syslog (RFC 5424): to a socket of this machine, a datagram each, or over TCP with their lengths
//! before them (RFC 6587 section 3.4.1).
//!
//! Syslog confirms nothing. A message counts as taken when the system has taken it; over TCP, what was under way when a
//! connection breaks may be lost without a word.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixDatagram};
use tokio::time::timeout;

/// Informational, as RFC 5424 section 6.2.1 numbers it.
const SEVERITY: u64 = 6;
/// The longest MSGID.
const MESSAGE_ID_BYTES_MAX: usize = 32;
/// The longest HOSTNAME.
const HOSTNAME_BYTES_MAX: usize = 255;

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SyslogAddress {
    /// A datagram socket, such as `/dev/log`.
    Socket(PathBuf),
    /// Host and port.
    Tcp(String),
}

/// See the module.
pub(super) struct Syslog {
    address: SyslogAddress,
    head: Head,
    patience: Duration,
    connection: Option<Connection>,
}

enum Connection {
    Socket(UnixDatagram),
    Tcp(TcpStream),
}

/// What all messages begin with, and have behind their time.
struct Head {
    priority: u64,
    /// HOSTNAME, APP-NAME and PROCID.
    sender: String,
}

/// What is read of a record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    #[serde(borrow)]
    event_time: Option<&'a str>,
    #[serde(borrow)]
    event_name: Option<&'a str>,
}

impl Syslog {
    pub(super) fn new(address: SyslogAddress, facility: u64, patience: Duration) -> Self {
        let node = rustix::system::uname();
        let host = printable(&node.nodename().to_string_lossy(), HOSTNAME_BYTES_MAX);
        let sender = format!("{host} trent {}", std::process::id());
        let head = Head { priority: facility * 8 + SEVERITY, sender };
        Self { address, head, patience, connection: None }
    }

    /// Hands lines over, all of them again if not all were taken.
    pub(super) async fn take(&mut self, lines: &[u8]) -> Result<(), String> {
        let taken = self.send(lines).await;
        taken.map_err(|error| {
            // The next attempt is made on another connection.
            self.connection = None;
            error.to_string()
        })
    }

    async fn send(&mut self, lines: &[u8]) -> io::Result<()> {
        let connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => within(self.patience, Connection::open(&self.address)).await?,
        };
        let messages = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let messages = messages.map(|line| self.head.message(line));
        self.connection.insert(connection).send(messages, self.patience).await
    }
}

impl Connection {
    async fn open(address: &SyslogAddress) -> io::Result<Self> {
        match address {
            SyslogAddress::Socket(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                Ok(Self::Socket(socket))
            }
            SyslogAddress::Tcp(address) => TcpStream::connect(address).await.map(Self::Tcp),
        }
    }

    /// Whether the other side has gone, which writing would tell only the second time.
    fn is_closed(&self) -> bool {
        match self {
            Self::Socket(_) => false,
            // Nothing is ever sent to us: whatever can be read is the end.
            Self::Tcp(stream) => {
                !matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
        }
    }

    /// Sends messages, for as long as that goes on.
    async fn send(&mut self, messages: impl Iterator<Item = Vec<u8>>, patience: Duration) -> io::Result<()> {
        match self {
            Self::Socket(socket) => {
                for message in messages {
                    match within(patience, socket.send(&message)).await {
                        // It would never be taken, nor anything after it.
                        Err(error)
                            if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) =>
                        {
                            let bytes = message.len();
                            tracing::error!(
                                bytes,
                                "a record is too long for the syslog socket and is not sent"
                            );
                        }
                        sent => drop(sent?),
                    }
                }
                Ok(())
            }
            Self::Tcp(stream) => {
                let mut framed = Vec::new();
                for message in messages {
                    framed.extend_from_slice(format!("{} ", message.len()).as_bytes());
                    framed.extend_from_slice(&message);
                }
                let mut rest = &*framed;
                while !rest.is_empty() {
                    let written = within(patience, stream.write(rest)).await?;
                    rest = rest.get(written..).filter(|_| written > 0).ok_or(io::ErrorKind::WriteZero)?;
                }
                Ok(())
            }
        }
    }
}

/// What gets no further for as long has failed. A receiver may be slow: what it has taken it need not take again.
async fn within<T>(patience: Duration, doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(patience, doing).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl Head {
    /// A record as a message: `<PRI>1 TIME HOST trent PID EVENT - RECORD`.
    fn message(&self, record: &[u8]) -> Vec<u8> {
        let told = serde_json::from_slice(record).unwrap_or(Told { event_time: None, event_name: None });
        let (time, name) = (told.event_time.unwrap_or("-"), told.event_name.unwrap_or_default());
        let name = printable(name, MESSAGE_ID_BYTES_MAX);
        let head = format!("<{}>1 {time} {} {name} - ", self.priority, self.sender);
        [head.as_bytes(), record].concat()
    }
}

/// A name as a header may have it: of visible ASCII alone, and not too long; `-` where there is none.
fn printable(text: &str, bytes_max: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(bytes_max).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn message(record: &str) -> String {
        let head = Head { priority: 13 * 8 + SEVERITY, sender: "host trent 7".to_owned() };
        String::from_utf8(head.message(record.as_bytes())).unwrap()
    }

    #[test]
    fn a_message_has_the_time_and_the_name_of_its_record() {
        let record = r#"{"eventVersion":"1.11","eventTime":"2026-01-31T09:00:00Z","eventName":"Encrypt"}"#;
        assert_eq!(message(record), format!("<110>1 2026-01-31T09:00:00Z host trent 7 Encrypt - {record}"));
        assert_eq!(message("cut"), "<110>1 - host trent 7 - - cut");
    }

    #[tokio::test]
    async fn a_receiver_may_be_slow_and_may_not_stand_still() {
        const PATIENCE: Duration = Duration::from_secs(1);
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1 << 16).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(8).unwrap();
        let address = SyslogAddress::Tcp(listener.local_addr().unwrap().to_string());
        let mut syslog = Syslog::new(address, 13, PATIENCE);
        let lines = [&[b'x'; 1023][..], b"\n"].concat().repeat(16 << 10);
        let bytes = lines.len();
        let reading = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut buffer, mut all) = (vec![0; 128 << 10], 0);
            while all < bytes {
                tokio::time::sleep(Duration::from_millis(20)).await;
                all += stream.read(&mut buffer).await.unwrap();
            }
            (stream, listener)
        });
        let begun = std::time::Instant::now();
        syslog.take(&lines).await.unwrap();
        assert!(begun.elapsed() > PATIENCE, "{:?}", begun.elapsed());
        // Nobody reads any more.
        let kept = reading.await.unwrap();
        assert!(syslog.take(&lines).await.unwrap_err().contains("timed out"));
        drop(kept);
    }

    #[test]
    fn names_are_cut_to_what_headers_may_have() {
        assert_eq!(printable("GenerateDataKeyPairWithoutPlaintext", 32), "GenerateDataKeyPairWithoutPlaint");
        assert_eq!(printable("my höst", 255), "myhst");
        assert_eq!(printable("ä", 255), "-");
    }
}
