//! Keys in HSMs: what a request takes beyond the time that its token takes.
//!
//! The tokens are SoftHSM's. How long one takes is measured beside trent, by a process that asks two tokens like those of
//! the key store through the same module, in the same way, with nothing in between. What a caller waits beyond that, and
//! beyond what it waits for a bare server, is trent's own time.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use trent_softhsm::{MODULE, Tokens};

use crate::client::{Client, connect_store, text};
use crate::load::{Load, Pace};
use crate::operations::{Measured, on_keys};
use crate::process::Server;
use crate::report::{Figure, Promise, Report, median};
use crate::request::{Question, REGION, prepare};
use crate::suite::floor_questions;

const CLUSTER: &str = "cluster-234abcdefABC";
const ACCOUNT: &str = "111122223333";
const PASSWORD: &str = "kmsPswd1";
const CALLERS: [usize; 3] = [1, 8, 32];
/// Of trent's worker: calls of a module at once, and sessions with each token.
const SESSIONS: usize = 8;

/// What to run, and for how long.
pub(crate) struct Hsm {
    pub(crate) trent: PathBuf,
    pub(crate) floor: PathBuf,
    /// Measures tokens without trent.
    pub(crate) token: PathBuf,
    pub(crate) folder: PathBuf,
    /// Of operations, only this one.
    pub(crate) only: Option<String>,
    pub(crate) pairs: usize,
    pub(crate) run: Duration,
}

/// Who is measured beside each other.
struct Sides {
    trent: Server,
    floor: Server,
    token: Bare,
}

impl Hsm {
    pub(crate) fn run(&self, report: &mut Report) -> Result<()> {
        let folder = self.folder.join("hsm");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let folder = fs::canonicalize(folder)?;
        // Two for the key store, and two that are asked past trent: the password of the first two is changed.
        let tokens = Tokens::new(&[Some(PASSWORD); 4]);
        let anchor = certificates(&folder)?;
        let file = configure(&folder, &tokens)?;
        let mut sides = Sides {
            trent: Server::trent_configured(&self.trent, &folder.join("kms"), &file)?,
            floor: Server::floor(&self.floor)?,
            token: Bare::start(&self.token, &tokens)?,
        };
        let mut client = Client::connect(sides.trent.address)?;
        let key = create_key(&mut client, &anchor)?;
        for measured in on_keys(&mut client, &[key])? {
            if self.only.as_deref().is_some_and(|only| only != measured.name) {
                continue;
            }
            for callers in CALLERS {
                self.measure(&measured, callers, &mut sides, report)?;
            }
        }
        sides.trent.stop()
    }

    fn measure(
        &self,
        measured: &Measured,
        callers: usize,
        sides: &mut Sides,
        report: &mut Report,
    ) -> Result<()> {
        // What is in HSMs of a data key is that it is encrypted.
        let asked = if measured.name == "Decrypt" { "decrypt" } else { "encrypt" };
        let [mut own, mut bare, mut alone, mut way, mut whole] = [const { Vec::new() }; 5];
        let [mut rates, mut shares] = [const { Vec::new() }; 2];
        // The first round is not counted: connections are made, and sessions.
        for round in 0..=self.pairs {
            let (floor, _) = self.ask(&sides.floor, &floor_questions(&measured.questions), callers)?;
            let (token, token_rate) = sides.token.measure(asked, callers.min(SESSIONS), self.run)?;
            let before = waited(&sides.trent, asked)?;
            let (trent, rate) = self.ask(&sides.trent, &measured.questions, callers)?;
            let after = waited(&sides.trent, asked)?;
            if round > 0 {
                own.push(trent - token - floor);
                bare.push(floor);
                alone.push(token);
                way.push((after.0 - before.0) * 1e3 / (after.1 - before.1) - token);
                whole.push(trent);
                rates.push(rate);
                shares.push(rate / token_rate);
            }
        }
        let [bare, alone, way, whole, rate] = [&bare, &alone, &way, &whole, &rates].map(|all| median(all));
        println!(
            "\n{}, {callers} callers: {whole:.3} ms on average, {rate:.0}/s; the floor {bare:.3} ms, the token {alone:.3} ms, \
             the way to it and back {way:.3} ms",
            measured.name
        );
        let name = |what: &str| format!("{}, {callers} callers: {what}", measured.name);
        let figure = Figure::of(name("time beyond the token's and the floor's"), &own, "ms");
        report.add(if callers == 1 { figure.promised(Promise::at_most(0.3)) } else { figure });
        report.add(Figure::of(name("requests per second"), &shares, "x the token's"));
        Ok(())
    }

    /// How many milliseconds a request takes, and how many there are in a second.
    fn ask(&self, server: &Server, questions: &[Question], callers: usize) -> Result<(f64, f64)> {
        let (to, pool) = (server.address, prepare(questions, server.address)?);
        let outcome = Load { to, connections: callers, pool: &pool, pace: Pace::Closed(self.run) }.run()?;
        Ok((outcome.mean().as_secs_f64() * 1e3, outcome.per_second()))
    }
}

/// How many seconds HSMs were waited for so far, with the way there and back, and how often.
fn waited(trent: &Server, operation: &str) -> Result<(f64, f64)> {
    trent.histogram("trent_hsm_request_seconds", &format!("operation=\"{operation}\""))
}

/// A process that asks tokens past trent; killed when dropped.
struct Bare {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Bare {
    fn start(program: &Path, tokens: &Tokens) -> Result<Self> {
        let mut command = Command::new(program);
        command.args([MODULE, PASSWORD, &SESSIONS.to_string()]).args(tokens.serials().iter().skip(2));
        command.env_clear().envs(tokens.environment()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let questions = child.stdin.take().context("no standard input")?;
        let answers = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { child, questions, answers })
    }

    /// How many milliseconds a call takes, and how many there are in a second.
    fn measure(&mut self, what: &str, threads: usize, time: Duration) -> Result<(f64, f64)> {
        writeln!(self.questions, "{what} {threads} {}", time.as_millis())?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let (per_second, micros) = line.trim().split_once(' ').context("the tokens are not measured")?;
        Ok((micros.parse::<f64>()? / 1e3, per_second.parse()?))
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate of the cluster, and the one that signed it, which is answered too.
fn certificates(folder: &Path) -> Result<String> {
    let mut anchor = CertificateParams::new(Vec::new())?;
    anchor.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (key, own) = (KeyPair::generate()?, KeyPair::generate()?);
    let pem = anchor.self_signed(&key)?.pem();
    let cluster = CertificateParams::new(Vec::new())?.signed_by(&own, &Issuer::new(anchor, key))?;
    fs::write(folder.join("anchor.pem"), &pem)?;
    fs::write(folder.join("cluster.pem"), cluster.pem())?;
    Ok(pem)
}

/// The configuration of a server with a cluster of the first two tokens, whose requests are not limited.
fn configure(folder: &Path, tokens: &Tokens) -> Result<PathBuf> {
    let environment: Vec<_> =
        tokens.environment().iter().map(|(name, value)| format!("{name} = '{value}'")).collect();
    let zones = ["a", "b"];
    let hsms = zones.iter().zip(tokens.serials());
    let hsms: Vec<_> = hsms
        .map(|(zone, serial)| {
            format!("{{ id = 'hsm-{zone}', availability_zone = '{zone}', token_serial = '{serial}' }}")
        })
        .collect();
    let subnets = zones.map(|zone| format!("{{ id = 'subnet-{zone}', availability_zone = '{zone}' }}"));
    let text = format!(
        "[data]\naccount_id = '{ACCOUNT}'\n[hsm]\nrequests_per_second = 0\n[[hsm.cluster]]\ncluster_id = '{CLUSTER}'\n\
         account_id = '{ACCOUNT}'\nregion = '{REGION}'\ntrust_anchor_certificate = '{}'\ncluster_certificate = '{}'\n\
         module = '{MODULE}'\nmodule_environment = {{ {} }}\nreplication = 'oaep_transfer'\nhsms = [{}]\n\
         subnets = [{}]\n",
        folder.join("anchor.pem").display(),
        folder.join("cluster.pem").display(),
        environment.join(", "),
        hsms.join(", "),
        subnets.join(", "),
    );
    let file = folder.join("trent.toml");
    fs::write(&file, text)?;
    Ok(file)
}

/// A key in the tokens of a store that is connected.
fn create_key(client: &mut Client, anchor: &str) -> Result<String> {
    let request = json!({
        "CustomKeyStoreName": "one",
        "CloudHsmClusterId": CLUSTER,
        "TrustAnchorCertificate": anchor,
        "KeyStorePassword": PASSWORD,
    });
    let store = connect_store(client, &request)?;
    let made = client.call("CreateKey", &json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}))?;
    Ok(text(&made, "/KeyMetadata/KeyId")?.to_owned())
}
