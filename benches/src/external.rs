//! Keys in an external key store: what a request takes beyond the time that its proxy takes.
//!
//! The proxy is `trent xks-proxy`, over TLS, on the same machine. How long it was waited for is what trent's own metric
//! says. What a caller waits beyond that, and beyond what it waits for a bare server, is trent's own time.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::client::{Client, connect_store, text};
use crate::load::{Load, Pace};
use crate::operations::questions;
use crate::process::Server;
use crate::report::{Figure, Promise, Report, median};
use crate::request::{Question, prepare};

const HOST: &str = "proxy.example.com";
const CALLERS: [usize; 3] = [1, 32, 256];

/// What to run, and for how long.
pub(crate) struct External {
    pub(crate) trent: PathBuf,
    pub(crate) floor: PathBuf,
    pub(crate) folder: PathBuf,
    /// Of operations, only this one.
    pub(crate) only: Option<String>,
    pub(crate) pairs: usize,
    pub(crate) run: Duration,
}

/// Mean times of one run, in microseconds.
struct Times {
    whole: f64,
    proxy: f64,
    per_second: f64,
}

impl External {
    pub(crate) fn run(&self, report: &mut Report) -> Result<()> {
        let folder = self.folder.join("external");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let folder = fs::canonicalize(folder)?;
        let proxy = self.start_proxy(&folder)?;
        let trent = self.start(&folder, proxy.address)?;
        let floor = Server::floor(&self.floor)?;
        let key = create_key(&mut Client::connect(trent.address)?, &self.told(&folder)?)?;
        for operation in ["GenerateDataKey", "Decrypt"] {
            if self.only.as_deref().is_some_and(|only| only != operation) {
                continue;
            }
            let questions = ask(&mut Client::connect(trent.address)?, operation, &key)?;
            for callers in CALLERS {
                self.measure(operation, callers, (&trent, &floor), &questions, report)?;
            }
        }
        trent.stop()?;
        proxy.stop()
    }

    /// A proxy with one external key and a certificate that nobody else trusts.
    fn start_proxy(&self, folder: &Path) -> Result<Server> {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
        fs::write(folder.join("proxy.pem"), made.cert.pem())?;
        fs::write(folder.join("proxy.key"), made.signing_key.serialize_pem())?;
        let proxy = Server::proxy(&self.trent, folder)?;
        self.command(folder, &["admin", "xks-store", "add", "one", "--quota", "0"])?;
        self.command(folder, &["admin", "xks-key", "add", "one", "theirs"])?;
        self.command(folder, &["xks-proxy", "config", "--store", "one", "--output", "one.json"])?;
        Ok(proxy)
    }

    fn command(&self, folder: &Path, words: &[&str]) -> Result<()> {
        let done = Command::new(&self.trent).args(words).current_dir(folder).env_clear().output()?;
        let told = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "trent {}: {told}", words.join(" "));
        Ok(())
    }

    /// What the proxy tells those who are to reach it.
    fn told(&self, folder: &Path) -> Result<Value> {
        Ok(serde_json::from_slice(&fs::read(folder.join("one.json"))?)?)
    }

    fn start(&self, folder: &Path, proxy: SocketAddr) -> Result<Server> {
        let file = folder.join("trent.toml");
        let text = format!(
            "[xks]\nextra_trust_roots = [\"{}\"]\nrequests_per_second = 0\nrequest_timeout_ms = 10000\n\
             connect_override = [{{ host = \"{HOST}\", connect_to = [\"{proxy}\"] }}]\n",
            folder.join("proxy.pem").display()
        );
        fs::write(&file, text)?;
        Server::trent_configured(&self.trent, &folder.join("kms"), &file)
    }

    fn measure(
        &self,
        operation: &str,
        callers: usize,
        (trent, floor): (&Server, &Server),
        questions: &[Question],
        report: &mut Report,
    ) -> Result<()> {
        let [mut own, mut bare, mut whole, mut rates] = [const { Vec::new() }; 4];
        // The first round is not counted: connections are made.
        for round in 0..=self.pairs {
            let times = sample(operation, callers, trent, questions, self.run)?;
            let pool = prepare(questions, floor.address)?;
            let load =
                Load { to: floor.address, connections: callers, pool: &pool, pace: Pace::Closed(self.run) };
            let floor = load.run()?.mean().as_secs_f64() * 1e6;
            if round > 0 {
                own.push((times.whole - times.proxy - floor) / 1e3);
                bare.push(floor / 1e3);
                whole.push(times.whole / 1e3);
                rates.push(times.per_second);
            }
        }
        let [bare, whole, rate] = [&bare, &whole, &rates].map(|values| median(values));
        println!(
            "\n{operation}, {callers} callers: {whole:.2} ms on average, {rate:.0}/s; the floor {bare:.2} ms"
        );
        let name = format!("{operation}, {callers} callers: time beyond the proxy's and the floor's");
        let figure = Figure::of(name, &own, "ms");
        report.add(if callers == 1 { figure.promised(Promise::at_most(0.3)) } else { figure });
        Ok(())
    }
}

fn sample(
    operation: &str,
    callers: usize,
    trent: &Server,
    questions: &[Question],
    run: Duration,
) -> Result<Times> {
    let pool = prepare(questions, trent.address)?;
    let before = waited(trent, operation)?;
    let outcome =
        Load { to: trent.address, connections: callers, pool: &pool, pace: Pace::Closed(run) }.run()?;
    let after = waited(trent, operation)?;
    let proxy = (after.0 - before.0) * 1e3 / (after.1 - before.1);
    let whole = outcome.mean().as_secs_f64() * 1e6;
    ensure!(proxy > 0.0 && whole > proxy, "a request is no faster than a part of it");
    Ok(Times { whole, proxy, per_second: outcome.per_second() })
}

/// How many milliseconds requests of an operation have waited for the proxy so far, and how many there were.
fn waited(trent: &Server, operation: &str) -> Result<(f64, f64)> {
    trent.histogram("trent_XksProxyLatency", &format!("KmsOperation=\"{operation}\""))
}

/// A key on the external key, in a store that is connected.
fn create_key(client: &mut Client, told: &Value) -> Result<String> {
    let request = json!({
        "CustomKeyStoreName": "one",
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": format!("https://{HOST}"),
        "XksProxyUriPath": told["XksProxyUriPath"],
        "XksProxyAuthenticationCredential": told["XksProxyAuthenticationCredential"],
    });
    let store = connect_store(client, &request)?;
    let request = json!({"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "theirs"});
    Ok(text(&client.call("CreateKey", &request)?, "/KeyMetadata/KeyId")?.to_owned())
}

/// Requests that are known to be answered.
fn ask(client: &mut Client, operation: &'static str, key: &str) -> Result<Vec<Question>> {
    let make = |_| json!({"KeyId": key, "KeySpec": "AES_256"});
    if operation != "Decrypt" {
        return Ok(questions(operation, make));
    }
    let mut blobs = Vec::new();
    for question in questions("GenerateDataKey", make) {
        let made: Value = serde_json::from_slice(&client.ask(&question)?)?;
        blobs.push(text(&made, "/CiphertextBlob")?.to_owned());
    }
    Ok(questions(operation, |number| json!({"CiphertextBlob": blobs.get(number)})))
}
