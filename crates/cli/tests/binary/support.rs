//! Runs the binary and talks to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use trent_sigv4::{Credentials, Request, body_sha256, sign};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const ACCESS_KEY: &str = "AKIAFIRSTFIRSTFIRST0";
pub(crate) const SECRET: &str = "a-secret-of-tests-40-characters-long-000";
const PATIENCE: Duration = Duration::from_secs(30);

/// `trent` with these arguments and nothing of this process's environment that it would read.
pub(crate) fn trent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trent"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRENT_")) {
        command.env_remove(name);
    }
    command
}

/// `trent serve` on free ports and this data directory, its first start fixed.
pub(crate) fn serve(data_dir: &Path) -> Command {
    let mut command = trent(&["serve", "--listen", "127.0.0.1:0", "--account-id", ACCOUNT, "--data-dir"]);
    command.arg(data_dir);
    command.env("TRENT_BOOTSTRAP_ACCESS_KEY_ID", ACCESS_KEY).env("TRENT_BOOTSTRAP_SECRET_ACCESS_KEY", SECRET);
    command
}

/// What a command that ends printed: exit code, standard output, standard error.
pub(crate) fn finish(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// A command that must fail with 2 and one line.
#[track_caller]
pub(crate) fn misused(command: &mut Command) -> String {
    let (code, _, stderr) = finish(command);
    assert_eq!(code, 2, "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    stderr.trim_end().to_owned()
}

/// A server that runs; killed when dropped.
pub(crate) struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
    pub(crate) ready: String,
    pub(crate) kms: SocketAddr,
    pub(crate) ops: SocketAddr,
}

impl Server {
    /// Starts it and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        collect(child.stderr.take().unwrap(), Arc::clone(&log));
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let Ok(ready) = lines.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let code = child.wait();
            panic!("not ready, {code:?}: {}", log.lock().unwrap());
        };
        let address = |kind: &str| {
            let (_, rest) = ready.split_once(&format!(" {kind} http")).unwrap();
            let rest = rest.split_once("://").unwrap().1;
            rest.split([' ', '/']).next().unwrap().parse().unwrap()
        };
        let (kms, ops) = (address("kms"), address("ops"));
        Self { child, log, ready, kms, ops }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and gives its exit code.
    pub(crate) fn stop(mut self) -> i32 {
        self.signal(Signal::TERM);
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> i32 {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status.code().unwrap_or(-1),
                None if Instant::now() > end => panic!("it does not end: {}", self.log()),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has this text.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < end, "no `{text}` in: {}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Calls an operation as the first administrator: status and body.
    pub(crate) fn call(&self, operation: &str, body: &Value) -> (u16, Value) {
        self.call_as(ACCESS_KEY, SECRET, operation, body)
    }

    pub(crate) fn call_as(&self, key: &str, secret: &str, operation: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let target = format!("TrentService.{operation}");
        let host = self.kms.to_string();
        let mut headers = vec![
            ("host", host.as_bytes()),
            ("content-type", b"application/x-amz-json-1.1"),
            ("x-amz-target", target.as_bytes()),
        ];
        let request = Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers[..],
            body_sha256: body_sha256(body.as_bytes()),
        };
        let credentials = Credentials {
            access_key_id: key,
            secret_access_key: secret.as_bytes(),
            session_token: None,
            region: "eu-central-1",
            service: "kms",
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let signed = sign(&request, &credentials, i64::try_from(now).unwrap()).unwrap();
        headers.push(("authorization", signed.authorization.as_bytes()));
        headers.push(("x-amz-date", signed.x_amz_date.as_bytes()));
        let (status, answer) = exchange(self.kms, "POST", "/", &headers, body.as_bytes());
        (status, serde_json::from_str(&answer).unwrap_or(Value::String(answer)))
    }

    /// The body of an operation that succeeds.
    #[track_caller]
    pub(crate) fn ok(&self, operation: &str, body: &Value) -> Value {
        let (status, answer) = self.call(operation, body);
        assert_eq!(status, 200, "{operation}: {answer}; {}", self.log());
        answer
    }

    /// A new key and a ciphertext of `hello` under it.
    #[track_caller]
    pub(crate) fn encrypted_hello(&self) -> String {
        let key = self.ok("CreateKey", &json!({}))["KeyMetadata"]["KeyId"].clone();
        let answer = self.ok("Encrypt", &json!({"KeyId": key, "Plaintext": HELLO}));
        answer["CiphertextBlob"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn decrypts_to_hello(&self, blob: &str) {
        assert_eq!(self.ok("Decrypt", &json!({"CiphertextBlob": blob}))["Plaintext"], HELLO);
    }
}

const HELLO: &str = "aGVsbG8=";

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    });
}

/// One request on a connection of its own: status and body.
pub(crate) fn exchange(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &[u8])],
    body: &[u8],
) -> (u16, String) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request += &format!("{name}: {}\r\n", str::from_utf8(value).unwrap());
    }
    stream.write_all((request + "\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The names in a directory, sorted.
pub(crate) fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// All files of a directory with their content.
pub(crate) fn contents_of(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let content = std::fs::read(dir.join(&name)).unwrap();
        (name, content)
    };
    names_in(dir).into_iter().filter(|name| dir.join(name).is_file()).map(read).collect()
}
