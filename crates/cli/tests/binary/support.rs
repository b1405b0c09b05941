//! Runs the binary and talks to it, with what `trent_testkit` has for that.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use trent_testkit::{Client, PATIENCE, Signer};

pub(crate) use trent_testkit::{
    ACCOUNT, FIRST_ACCESS_KEY as ACCESS_KEY, FIRST_SECRET as SECRET, Server, finish,
};

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_trent"))
}

/// `trent` with these arguments and nothing of this process's environment that it would read.
pub(crate) fn trent(arguments: &[&str]) -> Command {
    trent_testkit::command(binary(), arguments)
}

/// `trent serve` on free ports and this data directory, its first start fixed.
pub(crate) fn serve(data_dir: &Path) -> Command {
    trent_testkit::serve(binary(), data_dir)
}

/// A command that must fail with 2 and one line.
#[track_caller]
pub(crate) fn misused(command: &mut Command) -> String {
    let (code, _, stderr) = finish(command);
    assert_eq!(code, 2, "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    stderr.trim_end().to_owned()
}

const HELLO: &str = "aGVsbG8=";

/// What tests ask a server that runs.
pub(crate) trait Ask {
    /// Calls an operation as the first administrator: status and body.
    fn call(&self, operation: &str, body: &Value) -> (u16, Value) {
        self.call_as(ACCESS_KEY, SECRET, operation, body)
    }

    /// The same as somebody else.
    fn call_as(&self, key: &str, secret: &str, operation: &str, body: &Value) -> (u16, Value);

    /// The body of an operation that succeeds.
    fn ok(&self, operation: &str, body: &Value) -> Value;

    /// A new key and a ciphertext of `hello` under it.
    #[track_caller]
    fn encrypted_hello(&self) -> String {
        let key = self.ok("CreateKey", &json!({}))["KeyMetadata"]["KeyId"].clone();
        let answer = self.ok("Encrypt", &json!({"KeyId": key, "Plaintext": HELLO}));
        answer["CiphertextBlob"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn decrypts_to_hello(&self, blob: &str) {
        assert_eq!(self.ok("Decrypt", &json!({"CiphertextBlob": blob}))["Plaintext"], HELLO);
    }
}

impl Ask for Server {
    fn call_as(&self, key: &str, secret: &str, operation: &str, body: &Value) -> (u16, Value) {
        Client::new(self.kms, Signer::new(key, secret)).call(operation, body).unwrap()
    }

    #[track_caller]
    fn ok(&self, operation: &str, body: &Value) -> Value {
        let (status, answer) = self.call(operation, body);
        assert_eq!(status, 200, "{operation}: {answer}; {}", self.log());
        answer
    }
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

/// The records of a command in the trail of a deployment that is stopped, which is whole.
pub(crate) fn records(data: &Path, command: &str) -> Vec<Value> {
    let (code, verified, problem) = finish(trent(&["audit", "verify", "--data-dir"]).arg(data));
    assert!(code == 0 && !verified.is_empty(), "{problem}");
    let files = trent_audit::list(&data.join("audit")).unwrap();
    let texts = files.iter().map(|file| std::fs::read_to_string(&file.path).unwrap());
    let records: Vec<Value> = texts
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
        .collect();
    records.into_iter().filter(|record| record["eventName"] == command).collect()
}
