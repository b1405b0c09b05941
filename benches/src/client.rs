//! One call at a time, for what a measurement needs made or found before it begins.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::answer;
use crate::request::{Prepared, Question, prepare};

const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a server.
pub(crate) struct Client {
    stream: TcpStream,
    address: SocketAddr,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What an operation that must succeed answers.
    pub(crate) fn call(&mut self, operation: &'static str, body: &Value) -> Result<Value> {
        let answer = self.ask(&Question::new(operation, body))?;
        serde_json::from_slice(&answer).with_context(|| format!("{operation} answered no JSON"))
    }

    /// The body of the answer to a question that must succeed.
    pub(crate) fn ask(&mut self, question: &Question) -> Result<Vec<u8>> {
        let prepared = prepare(std::slice::from_ref(question), self.address)?;
        let prepared = prepared.first().context("nothing was signed")?;
        Ok(self.exchange(prepared).with_context(|| question.operation)?.0)
    }

    /// The body of an answer, and how long it took.
    pub(crate) fn exchange(&mut self, prepared: &Prepared) -> Result<(Vec<u8>, Duration)> {
        let begun = Instant::now();
        self.stream.write_all(&prepared.bytes)?;
        let mut bytes = Vec::new();
        let mut chunk = [0; 64 * 1024];
        loop {
            if let Some(answer) = answer::read(&bytes)? {
                prepared.expected.check(&answer)?;
                return Ok((answer.body.to_vec(), begun.elapsed()));
            }
            match self.stream.read(&mut chunk)? {
                0 => bail!("the server closed the connection"),
                read => bytes.extend_from_slice(chunk.get(..read).unwrap_or_default()),
            }
        }
    }
}

/// Makes a custom key store, and waits until it is connected; gives its id.
pub(crate) fn connect_store(client: &mut Client, request: &Value) -> Result<String> {
    let made = client.call("CreateCustomKeyStore", request)?;
    let id = json!({"CustomKeyStoreId": text(&made, "/CustomKeyStoreId")?});
    client.call("ConnectCustomKeyStore", &id)?;
    loop {
        let found = client.call("DescribeCustomKeyStores", &id)?;
        match text(&found, "/CustomKeyStores/0/ConnectionState")? {
            "CONNECTED" => return Ok(text(&id, "/CustomKeyStoreId")?.to_owned()),
            "FAILED" => bail!("the store does not connect: {found}"),
            _ => thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The text at a path of an answer, such as `/KeyMetadata/KeyId`.
pub(crate) fn text<'v>(answer: &'v Value, path: &str) -> Result<&'v str> {
    answer.pointer(path).and_then(Value::as_str).with_context(|| format!("no text at {path} in {answer}"))
}
