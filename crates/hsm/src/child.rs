//! The worker itself: loads a module, and does what comes over the socket, several things at once.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use parking_lot::Mutex;
use rustix::process::{Signal, set_parent_process_death_signal};
use trent_pkcs11::{Error, Module, Token};
use zeroize::Zeroizing;

use crate::message::{Ask, Reply, Request};
use crate::wire::{self, Buffer, Call, Socket};

/// Calls of a module at once, and sessions with each token.
const THREADS: usize = 8;
/// Keys that are listed at once: a message has room for them.
const KEYS_AT_ONCE: usize = 256;
/// Bytes of randomness that are asked for at once.
const RANDOM_BYTES_MAX: u64 = 1024;

/// Does what comes over standard input, which is a socket, until its other end has closed or its parent has died.
///
/// # Errors
/// When it was not started as a worker; when what comes is no message.
pub fn serve() -> io::Result<()> {
    // A module that hangs keeps its process from noticing that nobody is there any more.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let Some(desk) = Desk::open(socket.into())? else { return Ok(()) };
    let desk = Arc::new(desk);
    let (ended, end) = channel();
    for number in 1..=THREADS {
        let (desk, ended) = (Arc::clone(&desk), ended.clone());
        let work = move || {
            // One is enough: whoever has ended before was told the same, or that nobody listens any more.
            let _ = ended.send(work(&desk));
        };
        thread::Builder::new().name(format!("token-{number}")).spawn(work)?;
    }
    // Threads that hang in the module are not waited for: the process ends now.
    end.recv().map_err(io::Error::other)?
}

/// Whoever receives a call does it, while the next one waits for another: to hand it on would take longer than some tokens
/// take for all of it.
fn work(desk: &Desk) -> io::Result<()> {
    let mut buffer = Buffer::new();
    loop {
        let Some(message) = desk.socket.receive(&mut buffer)? else { return Ok(()) };
        let done = catch_unwind(AssertUnwindSafe(|| desk.answer(message.bytes)));
        let reply = done.unwrap_or_else(|_| Reply::Failed(Error::Other("the worker panicked".to_owned())));
        desk.reply(message.call, &reply)?;
    }
}

/// The module, and the tokens that have been asked for.
struct Desk {
    /// Calls come over it.
    socket: Socket,
    /// Answers go over these, from 1 on.
    lanes: Vec<Socket>,
    module: Module,
    tokens: Mutex<HashMap<String, Arc<Token>>>,
}

impl Desk {
    /// Does the first call, which loads the module; nothing if it does not load, or if nobody asks.
    fn open(socket: Socket) -> io::Result<Option<Self>> {
        let mut buffer = Buffer::new();
        let Some((message, lanes)) = socket.receive_ends(&mut buffer)? else { return Ok(None) };
        let call = message.call;
        let loaded = match Request::decode(message.bytes) {
            Ok(Request::Load(path)) => Module::load(&path),
            _ => Err(Error::Module("no module is loaded".to_owned())),
        };
        match loaded {
            Ok(module) => {
                let desk = Self { socket, lanes, module, tokens: Mutex::default() };
                desk.reply(call, &Reply::Done)?;
                Ok(Some(desk))
            }
            Err(error) => socket.send(call, &Reply::Failed(error).encode()).map(|()| None),
        }
    }

    fn reply(&self, call: Call, reply: &Reply) -> io::Result<()> {
        let mut message = reply.encode();
        if !wire::fits(&message) {
            message = Reply::Failed(Error::Other("the answer is too long".to_owned())).encode();
        }
        let lane = usize::from(call.lane).checked_sub(1).and_then(|lane| self.lanes.get(lane));
        // The runtime that asked may have ended; what it left unanswered would be missed all the same.
        match lane.map(|lane| lane.send(call, &message)) {
            Some(Ok(())) => Ok(()),
            None | Some(Err(_)) => self.socket.send(call, &message),
        }
    }

    fn answer(&self, message: &[u8]) -> Reply {
        let request = Request::decode(message);
        let done = request.map_err(|error| Error::Other(error.to_string())).and_then(|it| self.obey(it));
        done.unwrap_or_else(Reply::Failed)
    }

    fn obey(&self, request: Request) -> Result<Reply, Error> {
        match request {
            Request::Load(_) => Err(Error::Module("a module is loaded already".to_owned())),
            Request::Tokens => Ok(Reply::Tokens(self.module.tokens()?)),
            Request::Copy { from, to, id, label } => {
                let (from, to) = (self.token(&from)?, self.token(&to)?);
                Ok(Reply::Key(from.copy_to(&to, &id, &label)?))
            }
            Request::Of(serial, ask) => {
                let done = self.token(&serial).and_then(|token| of_token(&token, ask));
                if matches!(done, Err(Error::TokenNotPresent)) {
                    // Should it come back, it may be in another slot.
                    self.tokens.lock().remove(&serial);
                }
                done
            }
        }
    }

    fn token(&self, serial: &str) -> Result<Arc<Token>, Error> {
        if let Some(known) = self.tokens.lock().get(serial) {
            return Ok(Arc::clone(known));
        }
        // Looked for without the lock: a token that does not answer keeps only those waiting that ask for it.
        let found = self.module.token(serial, THREADS)?;
        let mut tokens = self.tokens.lock();
        Ok(Arc::clone(tokens.entry(serial.to_owned()).or_insert(found)))
    }
}

fn of_token(token: &Token, ask: Ask) -> Result<Reply, Error> {
    Ok(match ask {
        Ask::Facts => Reply::Tokens(vec![token.facts()?]),
        Ask::Mechanisms => Reply::Mechanisms(token.mechanisms()?),
        Ask::LogIn(pin) => done(token.log_in(pin.expose())?),
        Ask::LogOut => done(token.log_out()?),
        Ask::ChangePin { old, new } => done(token.change_pin(old.expose(), new.expose())?),
        Ask::Generate { id, label } => Reply::Key(token.generate(&id, &label)?),
        Ask::GenerateMovable { id, label } => done(token.generate_movable(&id, &label)?),
        Ask::Settle(id) => Reply::Key(token.settle(&id)?),
        Ask::Find(key) => Reply::Key(token.find(key)?),
        Ask::List { after } => Reply::Keys(token.list(after.as_ref(), KEYS_AT_ONCE)?),
        Ask::Destroy(id) => done(token.destroy(&id)?),
        Ask::Encrypt { key, mode, plaintext, aad } => {
            Reply::Sealed(token.encrypt(key, mode, &plaintext, &aad)?)
        }
        Ask::Decrypt { key, mode, sealed, aad } => Reply::Bytes(token.decrypt(key, mode, &sealed, &aad)?),
        Ask::Random(length) if length <= RANDOM_BYTES_MAX => {
            let mut bytes = Zeroizing::new(vec![0; usize::try_from(length).unwrap_or_default()]);
            token.random(&mut bytes)?;
            Reply::Bytes(bytes)
        }
        Ask::Random(_) => return Err(Error::Other("too many random bytes".to_owned())),
    })
}

const fn done((): ()) -> Reply {
    Reply::Done
}
