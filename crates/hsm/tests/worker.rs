//! Workers with SoftHSM's module, and with one that hangs and crashes on order. The worker is this test binary.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::collections::HashSet;
use std::future::{Future as _, poll_fn};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use trent_hsm::{
    Called, Error, IvMode, KeyId, Limits, Observer, Operation, Program, Replication, Sealed, TokenError,
    Worker,
};
use trent_softhsm::{MODULE, Shim, Tokens};

const PIN: &str = "kms-user-1";
const ID: KeyId = *b"0123456789abcdef";
/// Long enough for a busy machine.
const PATIENT: Limits = Limits { start: Duration::from_secs(60), call: Duration::from_secs(60) };

/// The worker, when a test has started this binary as one; otherwise nothing.
#[test]
fn as_worker() {
    #[expect(clippy::disallowed_methods, reason = "this is how the worker knows that it is one")]
    let started = std::env::var_os("TRENT_TEST_WORKER");
    if started.is_some() {
        trent_hsm::serve().unwrap();
        std::process::exit(0);
    }
}

fn program(tokens: &Tokens, module: impl AsRef<Path>) -> Program {
    let mut environment = tokens.environment();
    environment.push(("TRENT_TEST_WORKER".to_owned(), "1".to_owned()));
    Program {
        path: std::env::current_exe().unwrap(),
        arguments: ["as_worker", "--exact", "--nocapture"].map(Into::into).into(),
        environment,
        module: module.as_ref().to_owned(),
    }
}

fn worker(tokens: &Tokens, module: impl AsRef<Path>, limits: Limits) -> Worker {
    Worker::new(program(tokens, module), limits).unwrap()
}

/// One that is logged in to the first token, with a key in it.
async fn keyed_worker(tokens: &Tokens, module: impl AsRef<Path>, limits: Limits) -> Worker {
    let worker = worker(tokens, module, limits);
    worker.log_in(tokens.serial(0), &PIN.into()).await.unwrap();
    worker.generate(tokens.serial(0), ID, "label").await.unwrap();
    worker
}

/// Waits until a call is answered with something else than that the worker is left alone after its death.
async fn once_restarted<T>(mut call: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match call().await {
            Err(Error::Died) if Instant::now() < until => tokio::time::sleep(Duration::from_millis(20)).await,
            other => return other,
        }
    }
}

#[tokio::test]
async fn keys_are_made_and_used_in_a_token_of_another_process() {
    let tokens = Tokens::new(&[Some(PIN), Some(PIN)]);
    let worker = worker(&tokens, MODULE, PATIENT);
    let serial = tokens.serial(0);
    assert_eq!(worker.tokens().await.unwrap().len(), 3, "two, and the empty slot that SoftHSM always has");
    assert!(worker.facts(serial).await.unwrap().has_user_pin);
    assert_eq!(worker.facts("nowhere").await, Err(Error::Token(TokenError::TokenNotPresent)));
    let wrong = worker.log_in(serial, &"wrong".into()).await;
    assert_eq!(wrong, Err(Error::Token(TokenError::PinIncorrect)));
    worker.log_in(serial, &PIN.into()).await.unwrap();

    let made = worker.generate(serial, ID, "label").await.unwrap();
    assert_eq!(worker.find(serial, ID).await, Ok(made));
    let sealed = worker.encrypt(serial, ID, IvMode::Caller, b"plaintext", b"aad").await.unwrap();
    let opened = worker.decrypt(serial, ID, IvMode::Caller, sealed.clone(), b"aad").await.unwrap();
    assert_eq!(*opened, b"plaintext");
    let other = worker.decrypt(serial, ID, IvMode::Caller, sealed, b"other").await;
    assert_eq!(other, Err(Error::Token(TokenError::InvalidCiphertext)));
    assert_eq!(worker.random(serial, 1024).await.unwrap().len(), 1024);
    let long = vec![0; 1024 * 1024];
    assert_eq!(worker.encrypt(serial, ID, IvMode::Caller, &long, b"").await, Err(Error::TooLong));

    assert!(tokens.tool_of(0, PIN, &["--list-objects"]).contains("AES length 32"));
    worker.destroy(serial, ID).await.unwrap();
    assert_eq!(tokens.tool_of(0, PIN, &["--list-objects"]), "");
    worker.change_pin(serial, &PIN.into(), &"new-pin".into()).await.unwrap();
    assert!(tokens.is_pin(0, "new-pin") && !tokens.is_pin(0, PIN) && tokens.is_pin(1, PIN));
    worker.log_out(serial).await.unwrap();
    let out = worker.find(serial, ID).await;
    assert_eq!(out, Err(Error::Token(TokenError::NotLoggedIn)));
}

#[tokio::test]
async fn a_module_that_crashes_takes_nothing_along_and_is_started_again() {
    let tokens = Tokens::new(&[Some(PIN)]);
    let shim = Shim::new(&tokens);
    let [crashing, other] = [worker(&tokens, shim.module(), PATIENT), worker(&tokens, MODULE, PATIENT)];
    let serial = tokens.serial(0);
    for worker in [&crashing, &other] {
        worker.log_in(serial, &PIN.into()).await.unwrap();
    }
    crashing.generate(serial, ID, "label").await.unwrap();

    shim.order("C_Encrypt", "crash");
    let encrypt = async || crashing.encrypt(serial, ID, IvMode::Caller, b"plaintext", b"").await;
    assert_eq!(encrypt().await, Err(Error::Died));
    other.encrypt(serial, ID, IvMode::Caller, b"plaintext", b"").await.unwrap();

    shim.revoke("C_Encrypt");
    // A new process, in which nobody is logged in.
    assert_eq!(once_restarted(encrypt).await, Err(Error::Token(TokenError::NotLoggedIn)));
    crashing.log_in(serial, &PIN.into()).await.unwrap();
    assert!(encrypt().await.is_ok());
}

#[tokio::test]
async fn a_module_that_hangs_is_killed_and_started_again() {
    let tokens = Tokens::new(&[Some(PIN)]);
    let shim = Shim::new(&tokens);
    let limits = Limits { call: Duration::from_secs(5), ..PATIENT };
    let worker = worker(&tokens, shim.module(), limits);
    let serial = tokens.serial(0);
    worker.log_in(serial, &PIN.into()).await.unwrap();

    shim.order("C_Login", "hang");
    worker.log_out(serial).await.unwrap();
    let pin = PIN.into();
    let hanging = worker.log_in(serial, &pin);
    // What does not hang is answered beside it.
    let beside = async { worker.facts(serial).await.map(drop) };
    let (hanging, beside) = tokio::join!(hanging, beside);
    assert_eq!((hanging, beside), (Err(Error::TimedOut), Ok(())));

    shim.revoke("C_Login");
    once_restarted(async || worker.log_in(serial, &PIN.into()).await).await.unwrap();
}

#[tokio::test]
async fn a_worker_that_has_answered_in_time_may_be_idle_for_longer() {
    let tokens = Tokens::new(&[Some(PIN)]);
    let limits = Limits { call: Duration::from_secs(1), ..PATIENT };
    let worker = worker(&tokens, MODULE, limits);
    let facts = async || worker.facts(tokens.serial(0)).await.map(drop);
    // On a busy machine an answer may take longer than that, too.
    let answered = async || match facts().await {
        Err(Error::TimedOut) => Err(Error::Died),
        other => other,
    };
    once_restarted(answered).await.unwrap();
    // The worker is at some of them when the last one reaches it, and nobody hears of those answers.
    let _ = tokio::join!(facts(), facts(), facts(), facts(), facts(), facts(), facts(), facts());
    let deaths = worker.deaths();
    tokio::time::sleep(limits.call * 2).await;
    assert_eq!(worker.deaths(), deaths, "nobody waited for it");
}

#[tokio::test]
async fn a_module_that_does_not_load_is_told_and_tried_again() {
    let tokens = Tokens::new(&[Some(PIN)]);
    let nothing = worker(&tokens, "/nowhere/module.so", PATIENT);
    let told = nothing.tokens().await;
    assert!(matches!(told, Err(Error::Token(TokenError::Module(_)))), "{told:?}");

    let shim = Shim::new(&tokens);
    shim.order("C_Initialize", "hang");
    let limits = Limits { start: Duration::from_secs(2), ..PATIENT };
    let worker = worker(&tokens, shim.module(), limits);
    assert_eq!(worker.tokens().await, Err(Error::TimedOut));
    shim.revoke("C_Initialize");
    let again = once_restarted(async || match worker.tokens().await {
        // A start that is slow on a busy machine is no more than that.
        Err(Error::TimedOut) => Err(Error::Died),
        other => other,
    });
    assert!(again.await.is_ok());

    let no_program = Program { path: "/nowhere/program".into(), ..program(&tokens, MODULE) };
    let worker = Worker::new(no_program, PATIENT).unwrap();
    assert!(matches!(worker.tokens().await, Err(Error::NotStarted(_))));
}

#[tokio::test]
async fn a_worker_is_gone_when_nobody_wants_it_and_its_environment_is_its_own() {
    let tokens = Tokens::new(&[Some(PIN)]);
    let worker = worker(&tokens, MODULE, PATIENT);
    worker.tokens().await.unwrap();
    let children = || {
        let listed = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let mark = tokens.folder().display().to_string();
        // Its environment is what tells it apart; one that ends while it is looked at has none.
        let environment = |path: &Path| std::fs::read_to_string(path.join("environ")).unwrap_or_default();
        listed.map(|path| environment(&path)).filter(|text| text.contains(&mark)).collect::<Vec<_>>()
    };
    let running = children();
    assert_eq!(running.len(), 1);
    let mut names: Vec<_> = running
        .iter()
        .flat_map(|text| text.split('\0'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["SOFTHSM2_CONF", "TRENT_SHIM_MODULE", "TRENT_SHIM_ORDERS", "TRENT_TEST_WORKER"]);
    drop(worker);
    let until = Instant::now() + Duration::from_secs(60);
    while !children().is_empty() {
        assert!(Instant::now() < until, "the worker outlives its use");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn many_calls_at_once_share_the_sessions() {
    let tokens = Tokens::new(&[Some(PIN)]);
    let (worker, serial) = (keyed_worker(&tokens, MODULE, PATIENT).await, tokens.serial(0));
    let sealed = encrypt_at_once(&worker, serial, 200, b"aad").await;
    let ivs: HashSet<_> = sealed.into_iter().map(|sealed| sealed.unwrap().iv).collect();
    assert_eq!(ivs.len(), 200);
}

#[tokio::test]
async fn calls_wait_for_room_on_the_way_to_the_worker() {
    let tokens = Tokens::new(&[Some(PIN)]);
    let shim = Shim::new(&tokens);
    let limits = Limits { call: Duration::from_secs(5), ..PATIENT };
    let (worker, serial) = (keyed_worker(&tokens, shim.module(), limits).await, tokens.serial(0));
    // The socket does not hold as many such calls as the worker has not received yet.
    let aad = vec![7; 100 * 1024];
    shim.order("C_Encrypt", "wait 20");
    let sealed = encrypt_at_once(&worker, serial, 100, &aad).await;
    assert!(sealed.iter().all(Result::is_ok), "{sealed:?}");
    // Those that never find room are told within the limit, as those are that never have an answer; or they come to the
    // next worker.
    shim.order("C_Encrypt", "hang");
    let started = Instant::now();
    let sealed = encrypt_at_once(&worker, serial, 100, &aad).await;
    assert!(started.elapsed() < limits.call * 4, "{:?}", started.elapsed());
    let told = |error: &Error| {
        matches!(error, Error::TimedOut | Error::Died | Error::Busy | Error::Token(TokenError::NotLoggedIn))
    };
    assert!(sealed.iter().all(|sealed| sealed.as_ref().is_err_and(told)), "{sealed:?}");
    shim.revoke("C_Encrypt");
    once_restarted(async || worker.log_in(serial, &PIN.into()).await).await.unwrap();
    assert!(worker.encrypt(serial, ID, IvMode::Caller, b"plaintext", &aad).await.is_ok());
}

#[tokio::test]
async fn callers_that_go_on_take_no_room_from_those_that_wait_for_it() {
    let tokens = Tokens::new(&[Some(PIN)]);
    let shim = Shim::new(&tokens);
    let limits = Limits { call: Duration::from_secs(5), ..PATIENT };
    let worker = Arc::new(keyed_worker(&tokens, shim.module(), limits).await);
    let serial = tokens.serial(0);
    let deaths = worker.deaths();
    shim.order("C_Encrypt", "wait 10");
    let mut callers = tokio::task::JoinSet::new();
    // For longer than a call may take.
    let until = Instant::now() + limits.call * 5 / 4;
    for _ in 0..150 {
        let (worker, serial) = (Arc::clone(&worker), serial.to_owned());
        callers.spawn(async move {
            let mut calls = 0;
            while Instant::now() < until {
                worker.encrypt(&serial, ID, IvMode::Caller, b"plaintext", &[7; 100 * 1024]).await.unwrap();
                calls += 1;
            }
            calls
        });
    }
    let calls = callers.join_all().await;
    // All have their turn: without it some had six times the calls of others.
    let (least, most) = (calls.iter().min().unwrap(), calls.iter().max().unwrap());
    assert!(*most <= 2 * least, "from {least} to {most} calls each");
    assert_eq!(worker.deaths(), deaths);
}

#[test]
fn a_runtime_that_ends_leaves_no_call_behind() {
    let tokens = Tokens::new(&[Some(PIN)]);
    let limits = Limits { call: Duration::from_secs(2), ..PATIENT };
    let worker = worker(&tokens, MODULE, limits);
    let serial = tokens.serial(0);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let encrypt = || worker.encrypt(serial, ID, IvMode::Caller, b"plaintext", b"");
    let first = runtime();
    let deaths = first.block_on(async {
        once_restarted(async || worker.log_in(serial, &PIN.into()).await).await.unwrap();
        worker.generate(serial, ID, "label").await.unwrap();
        encrypt().await.unwrap();
        let mut unheard = Box::pin(encrypt());
        assert!(poll_fn(|context| Poll::Ready(unheard.as_mut().poll(context))).await.is_pending());
        worker.deaths()
    });
    // It has answered by now, as a rule, and nobody has received that.
    std::thread::sleep(Duration::from_millis(200));
    drop(first);
    runtime().block_on(async {
        tokio::time::sleep(limits.call * 2).await;
        encrypt().await.unwrap();
    });
    assert_eq!(worker.deaths(), deaths);
}

/// Has so many calls sent before the first of them is waited for.
async fn encrypt_at_once(
    worker: &Worker,
    serial: &str,
    calls: usize,
    aad: &[u8],
) -> Vec<Result<Sealed, Error>> {
    let encrypt = || Box::pin(worker.encrypt(serial, ID, IvMode::Caller, b"plaintext", aad));
    let mut calls: Vec<_> = std::iter::repeat_with(encrypt).take(calls).collect();
    // Each is sent when it is first looked at.
    let mut started = Vec::new();
    for mut call in calls.drain(..) {
        let first = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        started.push((first, call));
    }
    let mut answers = Vec::new();
    for (first, call) in started {
        answers.push(match first {
            Poll::Ready(answer) => answer,
            Poll::Pending => call.await,
        });
    }
    answers
}

#[tokio::test]
async fn a_key_is_in_all_tokens_or_in_none() {
    let tokens = Tokens::new(&[Some(PIN), Some(PIN), Some(PIN)]);
    let shim = Shim::new(&tokens);
    let worker = worker(&tokens, shim.module(), PATIENT);
    let serials = [0, 1, 2].map(|index| tokens.serial(index));
    for serial in serials {
        worker.log_in(serial, &PIN.into()).await.unwrap();
    }
    let objects = |index| tokens.tool_of(index, PIN, &["--list-objects"]).matches("Object").count();
    let all = || [0, 1, 2].map(objects);
    worker.generate_in_all(&serials, Replication::OaepTransfer, ID, "label").await.unwrap();
    assert_eq!(all(), [1, 1, 1]);
    let sealed = worker.encrypt(serials[0], ID, IvMode::Caller, b"plaintext", b"aad").await.unwrap();
    for serial in serials {
        let key = worker.find(serial, ID).await.unwrap();
        assert!(key.sensitive && !key.extractable && key.label == "label");
        let opened = worker.decrypt(serial, ID, IvMode::Caller, sealed.clone(), b"aad").await.unwrap();
        assert_eq!(*opened, b"plaintext");
    }
    assert_eq!(worker.destroy_in_all(&serials, ID).await, 3);
    assert_eq!(all(), [0, 0, 0]);

    // The last of them is logged out, and takes no copy.
    worker.log_out(serials[2]).await.unwrap();
    let failed = worker.generate_in_all(&serials, Replication::OaepTransfer, ID, "label").await;
    assert_eq!(failed, Err(Error::Token(TokenError::NotLoggedIn)));
    worker.log_in(serials[2], &PIN.into()).await.unwrap();
    assert_eq!(all(), [0, 0, 0]);
    // SoftHSM's tokens share nothing.
    let failed = worker.generate_in_all(&serials[..2], Replication::Shared, ID, "label").await;
    assert_eq!(failed, Err(Error::Token(TokenError::KeyNotFound)));
    assert_eq!(all(), [0, 0, 0]);
    assert!(worker.generate_in_all(&serials[..1], Replication::Shared, ID, "label").await.is_ok());
    assert_eq!(all(), [1, 0, 0]);
}

/// Writes down what it hears of.
#[derive(Default)]
struct Heard(Mutex<Vec<(String, Operation, bool)>>);

impl Observer for Heard {
    fn called(&self, call: &Called<'_>) {
        self.0.lock().unwrap().push((call.serial.to_owned(), call.operation, call.error.is_none()));
    }
}

#[tokio::test]
async fn a_copy_counts_for_both_tokens() {
    let tokens = Tokens::new(&[Some(PIN), Some(PIN)]);
    let (shim, heard) = (Shim::new(&tokens), Arc::<Heard>::default());
    let worker = worker(&tokens, shim.module(), PATIENT).watched_by(Arc::<Heard>::clone(&heard));
    let serials = [0, 1].map(|index| tokens.serial(index));
    for serial in serials {
        worker.log_in(serial, &PIN.into()).await.unwrap();
    }
    let copies = || {
        let heard = std::mem::take(&mut *heard.0.lock().unwrap());
        let copies = heard.into_iter().filter(|(_, operation, _)| *operation == Operation::CopyKey);
        copies.map(|(serial, _, is_good)| (serial, is_good)).collect::<Vec<_>>()
    };
    let both = |is_good: bool| serials.map(|serial| (serial.to_owned(), is_good));
    worker.generate_in_all(&serials, Replication::OaepTransfer, ID, "label").await.unwrap();
    assert_eq!(copies(), both(true));
    worker.destroy_in_all(&serials, ID).await;
    shim.order("C_UnwrapKey", "fail 30");
    assert!(worker.generate_in_all(&serials, Replication::OaepTransfer, ID, "label").await.is_err());
    assert_eq!(copies(), both(false));
}

#[tokio::test]
async fn hsms_that_share_keys_have_a_key_that_never_could_leave_or_none() {
    let tokens = Tokens::new(&[Some(PIN)]);
    let shim = Shim::new(&tokens);
    let shared = shim.share(&tokens, 3);
    let serials: Vec<_> = shared.iter().map(String::as_str).collect();
    let worker = worker(&tokens, shim.module(), PATIENT);
    for serial in &serials {
        let stranger = worker.find(serial, ID).await;
        assert_eq!(stranger, Err(Error::Token(TokenError::NotLoggedIn)), "each has logins of its own");
        let wrong = worker.log_in(serial, &"wrong".into()).await;
        assert_eq!(wrong, Err(Error::Token(TokenError::PinIncorrect)));
        worker.log_in(serial, &PIN.into()).await.unwrap();
    }
    let objects = || tokens.tool_of(0, PIN, &["--list-objects"]).matches("Object").count();
    // The second has it after a while.
    shim.order_token(serials[1], "hide 3");
    worker.generate_in_all(&serials, Replication::Shared, ID, "label").await.unwrap();
    let made = worker.find(serials[0], ID).await.unwrap();
    assert!(made.local && made.sensitive && made.always_sensitive, "{made:?}");
    assert!(!made.extractable && made.never_extractable && made.label == "label", "{made:?}");
    let sealed = worker.encrypt(serials[2], ID, IvMode::Caller, b"plaintext", b"aad").await.unwrap();
    for serial in &serials {
        assert_eq!(worker.find(serial, ID).await.as_ref(), Ok(&made));
        let opened = worker.decrypt(serial, ID, IvMode::Caller, sealed.clone(), b"aad").await.unwrap();
        assert_eq!(*opened, b"plaintext");
    }
    assert_eq!(objects(), 1);
    assert_eq!(worker.destroy_in_all(&serials, ID).await, 1, "the others had it no more");
    assert_eq!(objects(), 0);

    // The third has it never: nobody has it then.
    shim.order_token(serials[2], "hide");
    let failed = worker.generate_in_all(&serials, Replication::Shared, ID, "label").await;
    assert_eq!(failed, Err(Error::Token(TokenError::KeyNotFound)));
    assert_eq!(objects(), 0);
}
