//! Keys of other kinds: what signing, authenticating, agreeing and encapsulating cost beyond the bare computation, and whether
//! slow work delays others.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

use crate::client::{Client, text};
use crate::compare::{Side, sample};
use crate::load::Pace;
use crate::operations::{encrypt_with, make_keys, plaintext, questions};
use crate::primitives::Primitive;
use crate::process::Server;
use crate::report::{Figure, Promise, Report, median};
use crate::request::Question;
use crate::suite::{floor_questions, fresh_server};

/// At most so many times the bare computation, and the floor's request so many times on top.
const OF_THE_PRIMITIVE: f64 = 1.1;
const OF_THE_FLOOR: f64 = 2.0;
/// Callers that have RSA keys of 4096 bits made, one after the other.
const CREATORS: usize = 4;

/// What is measured with keys of one spec.
pub(crate) struct Plan {
    pub(crate) spec: &'static str,
    pub(crate) operations: &'static [&'static str],
    usage: &'static str,
    algorithm: &'static str,
}

const SIGN: &[&str] = &["Sign", "Verify"];
const MAC: &[&str] = &["GenerateMac", "VerifyMac"];
const AGREE: &[&str] = &["DeriveSharedSecret"];
const ENCAPSULATE: &[&str] = &["Encapsulate", "Decapsulate"];

#[rustfmt::skip]
pub(crate) const PLANS: [Plan; 21] = [
    Plan { spec: "RSA_2048", operations: SIGN, usage: "SIGN_VERIFY", algorithm: "RSASSA_PSS_SHA_256" },
    Plan { spec: "RSA_3072", operations: SIGN, usage: "SIGN_VERIFY", algorithm: "RSASSA_PSS_SHA_256" },
    Plan { spec: "RSA_4096", operations: SIGN, usage: "SIGN_VERIFY", algorithm: "RSASSA_PSS_SHA_256" },
    Plan { spec: "ECC_NIST_P256", operations: SIGN, usage: "SIGN_VERIFY", algorithm: "ECDSA_SHA_256" },
    Plan { spec: "ECC_NIST_P384", operations: SIGN, usage: "SIGN_VERIFY", algorithm: "ECDSA_SHA_384" },
    Plan { spec: "ECC_NIST_P521", operations: SIGN, usage: "SIGN_VERIFY", algorithm: "ECDSA_SHA_512" },
    Plan { spec: "ECC_SECG_P256K1", operations: SIGN, usage: "SIGN_VERIFY", algorithm: "ECDSA_SHA_256" },
    Plan { spec: "ECC_NIST_EDWARDS25519", operations: SIGN, usage: "SIGN_VERIFY", algorithm: "ED25519_SHA_512" },
    Plan { spec: "ML_DSA_44", operations: SIGN, usage: "SIGN_VERIFY", algorithm: "ML_DSA_SHAKE_256" },
    Plan { spec: "ML_DSA_65", operations: SIGN, usage: "SIGN_VERIFY", algorithm: "ML_DSA_SHAKE_256" },
    Plan { spec: "ML_DSA_87", operations: SIGN, usage: "SIGN_VERIFY", algorithm: "ML_DSA_SHAKE_256" },
    Plan { spec: "HMAC_224", operations: MAC, usage: "GENERATE_VERIFY_MAC", algorithm: "HMAC_SHA_224" },
    Plan { spec: "HMAC_256", operations: MAC, usage: "GENERATE_VERIFY_MAC", algorithm: "HMAC_SHA_256" },
    Plan { spec: "HMAC_384", operations: MAC, usage: "GENERATE_VERIFY_MAC", algorithm: "HMAC_SHA_384" },
    Plan { spec: "HMAC_512", operations: MAC, usage: "GENERATE_VERIFY_MAC", algorithm: "HMAC_SHA_512" },
    Plan { spec: "ECC_NIST_P256", operations: AGREE, usage: "KEY_AGREEMENT", algorithm: "ECDH" },
    Plan { spec: "ECC_NIST_P384", operations: AGREE, usage: "KEY_AGREEMENT", algorithm: "ECDH" },
    Plan { spec: "ECC_NIST_P521", operations: AGREE, usage: "KEY_AGREEMENT", algorithm: "ECDH" },
    Plan { spec: "ML_KEM_512", operations: ENCAPSULATE, usage: "ENCAPSULATE_DECAPSULATE", algorithm: "ML_KEM" },
    Plan { spec: "ML_KEM_768", operations: ENCAPSULATE, usage: "ENCAPSULATE_DECAPSULATE", algorithm: "ML_KEM" },
    Plan { spec: "ML_KEM_1024", operations: ENCAPSULATE, usage: "ENCAPSULATE_DECAPSULATE", algorithm: "ML_KEM" },
];

/// What to run, and for how long.
pub(crate) struct Kinds {
    pub(crate) trent: PathBuf,
    pub(crate) floor: PathBuf,
    pub(crate) folder: PathBuf,
    /// Of operations, only this one.
    pub(crate) only: Option<String>,
    pub(crate) pairs: usize,
    pub(crate) run: Duration,
}

impl Kinds {
    pub(crate) fn run(&self, report: &mut Report) -> Result<()> {
        let (floor, trent) = (Server::floor(&self.floor)?, self.fresh("kinds")?);
        let mut client = Client::connect(trent.address)?;
        for plan in &PLANS {
            if !plan.operations.iter().any(|operation| self.wants(operation)) {
                continue;
            }
            let key = create(&mut client, plan)?;
            for operation in plan.operations.iter().filter(|operation| self.wants(operation)) {
                let questions = ask(&mut client, plan, operation, &key)?;
                let other = Side { server: &trent, questions: &questions };
                self.measure(&format!("{operation} {}", plan.spec), plan, operation, &floor, other, report)?;
            }
        }
        trent.stop()?;
        if self.only.is_none() {
            self.beside_slow_work(report)?;
        }
        Ok(())
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }

    fn fresh(&self, name: &str) -> Result<Server> {
        fresh_server(&self.trent, &self.folder.join(name))
    }

    /// The floor, the bare computation and trent, in turn.
    fn measure(
        &self,
        name: &str,
        plan: &Plan,
        operation: &str,
        floor: &Server,
        trent: Side<'_>,
        report: &mut Report,
    ) -> Result<()> {
        let mut primitive = Primitive::of(operation, plan.spec)?;
        let floor_questions = floor_questions(trent.questions);
        let pace = Pace::Closed(self.run);
        let [mut bare, mut base, mut own, mut rate] = [const { Vec::new() }; 4];
        // The first round is not counted: caches fill.
        for round in 0..=self.pairs {
            let floor = sample(floor, &floor_questions, pace)?.cpu_micros;
            let computation = primitive.cpu_micros(self.run / 4)?;
            let trent = sample(trent.server, trent.questions, pace)?;
            if round > 0 {
                bare.push(computation);
                base.push(floor);
                own.push(trent.cpu_micros);
                rate.push(trent.per_second);
            }
        }
        let [computation, floor, trent, rate] = [&bare, &base, &own, &rate].map(|values| median(values));
        println!(
            "\n{name}: {trent:.1} us of CPU per request, {computation:.1} us the bare computation, {floor:.1} us the \
             floor; {rate:.0}/s"
        );
        let rounds = || own.iter().zip(bare.iter().zip(&base));
        let figure = if plan.operations == MAC {
            let ratios: Vec<_> = rounds().map(|(own, (_, floor))| own / floor).collect();
            Figure::of(format!("{name}: CPU per request"), &ratios, "x floor").promised(Promise::at_most(1.9))
        } else {
            let ratios: Vec<_> = rounds()
                .map(|(own, (bare, floor))| own / (OF_THE_PRIMITIVE * bare + OF_THE_FLOOR * floor))
                .collect();
            let figure = Figure::of(format!("{name}: CPU per request"), &ratios, "x allowed");
            if plan.operations == SIGN { figure.promised(Promise::at_most(1.0)) } else { figure }
        };
        report.add(figure);
        Ok(())
    }

    /// Encrypt while RSA keys are made, against Encrypt alone, both at a fixed pace.
    fn beside_slow_work(&self, report: &mut Report) -> Result<()> {
        let trent = self.fresh("slow")?;
        let keys = make_keys(&mut Client::connect(trent.address)?, 4)?;
        let questions = encrypt_with(&keys);
        let full = sample(&trent, &questions, Pace::Closed(self.run))?.per_second;
        let pace = Pace::Open { per_second: full / 4.0, time: self.run };
        let [mut alone, mut beside] = [const { Vec::new() }; 2];
        let mut made = 0;
        for _ in 0..self.pairs {
            alone.push(sample(&trent, &questions, pace)?.p99_micros);
            let (sampled, created) = while_keys_are_made(&trent, || sample(&trent, &questions, pace))?;
            beside.push(sampled.p99_micros);
            made += created;
        }
        ensure!(made > 0, "no RSA key was made meanwhile: this says nothing");
        println!(
            "\nEncrypt at a quarter of the saturating load, alone and while RSA_4096 keys are made ({made} were)"
        );
        println!("        {:<40} {:>12.1} {:>12.1} us", "p99", median(&alone), median(&beside));
        let more: Vec<_> = beside.iter().zip(&alone).map(|(beside, alone)| (beside - alone) / 1e3).collect();
        let name = "Encrypt: p99 while RSA_4096 keys are made, beyond p99 alone";
        report.add(Figure::of(name, &more, "ms").promised(Promise::at_most(5.0)));
        trent.stop()
    }
}

/// Does something while other callers have RSA keys made. How many were.
fn while_keys_are_made<T>(trent: &Server, work: impl FnOnce() -> Result<T>) -> Result<(T, u64)> {
    let (done, made) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let creators: Vec<_> = (0..CREATORS)
            .map(|_| {
                scope.spawn(|| {
                    let body = json!({"KeySpec": "RSA_4096", "KeyUsage": "SIGN_VERIFY"});
                    while !done.load(Ordering::Relaxed) {
                        // On a busy machine one may be answered that it comes too late; there is always one that waits.
                        let answer = Client::connect(trent.address)
                            .and_then(|mut client| client.call("CreateKey", &body));
                        made.fetch_add(u64::from(answer.is_ok()), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let outcome = work();
        done.store(true, Ordering::Relaxed);
        for creator in creators {
            ensure!(creator.join().is_ok(), "a caller panicked");
        }
        Ok((outcome?, made.load(Ordering::Relaxed)))
    })
}

fn create(client: &mut Client, plan: &Plan) -> Result<String> {
    let answer = client.call("CreateKey", &json!({"KeySpec": plan.spec, "KeyUsage": plan.usage}))?;
    Ok(text(&answer, "/KeyMetadata/KeyId")?.to_owned())
}

/// Requests, all of which have been answered once.
fn ask(client: &mut Client, plan: &Plan, operation: &'static str, key: &str) -> Result<Vec<Question>> {
    let algorithm = match operation {
        "Sign" | "Verify" => "SigningAlgorithm",
        "GenerateMac" | "VerifyMac" => "MacAlgorithm",
        "DeriveSharedSecret" => "KeyAgreementAlgorithm",
        _ => "EncapsulationAlgorithm",
    };
    let with_key = |more: Option<(&str, &str)>| {
        let members = [("KeyId", key), (algorithm, plan.algorithm)].into_iter().chain(more);
        members.map(|(name, value)| (name.to_owned(), json!(value))).collect::<Map<_, _>>()
    };
    let message = |number| with_key(Some(("Message", &plaintext(number))));
    let asked = match operation {
        "Sign" | "GenerateMac" => questions(operation, |number| message(number).into()),
        "Verify" => answered(client, ["Sign", operation], "Signature", message)?,
        "VerifyMac" => answered(client, ["GenerateMac", operation], "Mac", message)?,
        "DeriveSharedSecret" => {
            let peer = create(client, plan)?;
            let peer = client.call("GetPublicKey", &json!({"KeyId": peer}))?;
            let peer = text(&peer, "/PublicKey")?;
            questions(operation, |_| with_key(Some(("PublicKey", peer))).into())
        }
        "Encapsulate" => questions(operation, |_| with_key(None).into()),
        "Decapsulate" => {
            let made = client.call("Encapsulate", &with_key(None).into())?;
            let blob = text(&made, "/SharedSecretCiphertextBlob")?;
            questions(operation, |_| with_key(Some(("SharedSecretCiphertextBlob", blob))).into())
        }
        _ => bail!("{operation} is not of these"),
    };
    client.ask(asked.first().context("nothing to ask")?)?;
    Ok(asked)
}

/// Questions that have in them what another operation makes of the same body.
fn answered(
    client: &mut Client,
    [maker, checker]: [&'static str; 2],
    member: &str,
    body: impl Fn(usize) -> Map<String, Value>,
) -> Result<Vec<Question>> {
    let mut made = Vec::new();
    for question in questions(maker, |number| body(number).into()) {
        let answer: Value = serde_json::from_slice(&client.ask(&question)?)?;
        made.push(text(&answer, &format!("/{member}"))?.to_owned());
    }
    Ok(questions(checker, |number| {
        let mut body = body(number);
        body.insert(member.to_owned(), json!(made.get(number)));
        body.into()
    }))
}
