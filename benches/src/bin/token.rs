//! What tokens take by themselves: `trent-bench --hsm` starts this beside trent, for a module is one process's.
//!
//! Makes a key in each of the tokens, which take turns as the HSMs of a key store do. Each line of standard input is a
//! measurement, `encrypt 8 400` for one: what to do, with how many threads, for how many milliseconds. Each line of standard
//! output is what came of it: calls a second, and microseconds for each.

use std::io::{BufRead, stdin};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use trent_pkcs11::{IvMode, KeyId, Module, Sealed, Token};

/// Different messages of a key.
const MESSAGES: usize = 64;

#[derive(Debug, Parser)]
struct Arguments {
    module: PathBuf,
    /// The PIN of all tokens.
    pin: String,
    /// Sessions with each token at most.
    sessions: usize,
    serials: Vec<String>,
}

/// A token with a key, and what that has encrypted.
struct Keyed {
    token: Arc<Token>,
    key: KeyId,
    messages: Vec<Message>,
}

/// As long as a data key, and bound to as much as trent binds: a hash.
struct Message {
    plaintext: [u8; 32],
    aad: [u8; 32],
    sealed: Sealed,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Encrypt,
    Decrypt,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let module = Module::load(&arguments.module)?;
    let keyed = arguments.serials.iter().enumerate().map(|(number, serial)| {
        let token = module.token(serial, arguments.sessions)?;
        token.log_in(&arguments.pin)?;
        Keyed::new(token, [u8::try_from(number)?; 16])
    });
    let keyed = keyed.collect::<Result<Vec<_>>>()?;
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<_> = line.split(' ').collect();
        let [what, threads, millis] = words.as_slice() else { bail!("`{line}` is no measurement") };
        let what = match *what {
            "encrypt" => What::Encrypt,
            "decrypt" => What::Decrypt,
            other => bail!("no token does `{other}`"),
        };
        let (threads, time) = (threads.parse()?, Duration::from_millis(millis.parse()?));
        let (calls, took) = measure(&keyed, what, threads, time)?;
        let per_second = calls as f64 / took.as_secs_f64();
        println!("{per_second} {}", threads as f64 * 1e6 / per_second);
    }
    Ok(())
}

impl Keyed {
    fn new(token: Arc<Token>, key: KeyId) -> Result<Self> {
        token.generate(&key, "measurement")?;
        let messages = (0..MESSAGES).map(|number| {
            let (plaintext, aad) = ([u8::try_from(number)?; 32], [u8::try_from(number + MESSAGES)?; 32]);
            let sealed = token.encrypt(key, IvMode::Caller, &plaintext, &aad)?;
            Ok(Message { plaintext, aad, sealed })
        });
        let messages = messages.collect::<Result<_>>()?;
        Ok(Self { token, key, messages })
    }

    fn once(&self, what: What, number: usize) -> Result<()> {
        let message = self.messages.get(number % MESSAGES).context("no message")?;
        let Message { plaintext, aad, sealed } = message;
        match what {
            What::Encrypt => {
                let made = self.token.encrypt(self.key, IvMode::Caller, plaintext, aad)?;
                ensure!(made.ciphertext.len() == sealed.ciphertext.len(), "a ciphertext of another length");
                ensure!(made.iv != sealed.iv, "an IV that was there before");
            }
            What::Decrypt => {
                let opened = self.token.decrypt(self.key, IvMode::Caller, sealed, aad)?;
                ensure!(*opened == plaintext, "another plaintext");
            }
        }
        Ok(())
    }
}

/// The number of calls that all threads have made, and how long that took.
fn measure(keyed: &[Keyed], what: What, threads: usize, time: Duration) -> Result<(usize, Duration)> {
    let begun = Instant::now();
    let work = |first: usize| {
        let mut calls = 0;
        while begun.elapsed() < time {
            // As in trent, the tokens take turns with each call.
            let number = first + calls;
            keyed.get(number % keyed.len()).context("no token")?.once(what, number / keyed.len())?;
            calls += 1;
        }
        Ok::<_, anyhow::Error>(calls)
    };
    let calls = thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|first| scope.spawn(move || work(first))).collect();
        let ended =
            started.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")));
        ended.sum::<Result<usize>>()
    })?;
    ensure!(calls > 0, "no call came to an end");
    Ok((calls, begun.elapsed()))
}
