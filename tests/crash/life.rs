//! The life of one data directory: started, loaded, killed, started again, many times, and looked through each time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use trent_testkit::{Client, Dice, Server, Signer, Starting, command, finish, serve};

use crate::caller::{Caller, ask};
use crate::check::Listed;
use crate::copy::{self, Copied};

/// More than there are cores, so that changes share commits.
const CALLERS: usize = 12;
const COMMON_KEYS: usize = 3;
/// Where `trent rekey` can be made to kill itself; builds for release go on there.
const CRASH_POINTS: [&str; 3] = ["pending-written", "database-committed", "old-key-aside"];

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Servers killed.
    pub(crate) kills: usize,
    /// Changes that were answered before a kill.
    pub(crate) changes: u64,
    /// Ciphertexts, looked at after every later start.
    pub(crate) ciphertexts: usize,
    /// Keys.
    pub(crate) keys: usize,
    /// Rekeyings begun.
    pub(crate) rekeyings: usize,
    /// Backups begun, and those of them that were whole and restored.
    pub(crate) backups: usize,
    pub(crate) restored: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.kills += other.kills;
        self.changes += other.changes;
        self.ciphertexts += other.ciphertexts;
        self.keys += other.keys;
        self.rekeyings += other.rekeyings;
        self.backups += other.backups;
        self.restored += other.restored;
    }
}

/// A data directory, and those who use it.
pub(crate) struct Life<'b> {
    binary: &'b Path,
    // Kept when something is wrong, for whoever looks into it.
    folder: TempDir,
    callers: Vec<Caller>,
    dice: Dice,
    tally: Tally,
    /// What is done to the data after each kill under load, to see whether it is noticed.
    sabotage: Option<fn(&Path)>,
}

impl<'b> Life<'b> {
    pub(crate) fn new(binary: &'b Path, dice: Dice) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the data");
        Self { binary, folder, callers: Vec::new(), dice, tally: Tally::default(), sabotage: None }
    }

    /// One whose data are tampered with.
    pub(crate) fn sabotaged(binary: &'b Path, dice: Dice, sabotage: fn(&Path)) -> Self {
        Self { sabotage: Some(sabotage), ..Self::new(binary, dice) }
    }

    /// Lives through this many kills; the folder is kept, and named, when something is wrong.
    pub(crate) fn live(mut self, kills: usize) -> Result<Tally, String> {
        match self.try_to_live(kills) {
            Ok(()) => Ok(self.tally),
            Err(problem) if self.sabotage.is_some() => Err(problem),
            Err(problem) => {
                let kept = self.folder.keep();
                Err(format!(
                    "after {} kills: {problem}\nthe data are kept in {}",
                    self.tally.kills,
                    kept.display()
                ))
            }
        }
    }

    fn try_to_live(&mut self, kills: usize) -> Result<(), String> {
        let server = self.start()?;
        self.begin(&server)?;
        let mut server = Some(server);
        while self.tally.kills < kills {
            let running = match server.take() {
                Some(running) => running,
                None => self.start()?,
            };
            self.check(&running)?;
            self.load_and_kill(running)?;
            if self.dice.chance(25) {
                self.rekey()?;
            }
            while self.tally.kills < kills && self.dice.chance(30) {
                self.kill_at_start();
            }
        }
        drop(server);
        self.end()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn serve(&self) -> Command {
        serve(self.binary, &self.data())
    }

    fn start(&self) -> Result<Server, String> {
        Starting::new(&mut self.serve()).ready()
    }

    fn begin(&mut self, server: &Server) -> Result<(), String> {
        let mut client = Client::new(server.kms, Signer::default());
        let mut shared = Vec::new();
        for _ in 0..COMMON_KEYS {
            let answer = ask(&mut client, "CreateKey", &json!({"Description": "common"}))?;
            shared.extend(answer["KeyMetadata"]["KeyId"].as_str().map(str::to_owned));
        }
        let dice = &mut self.dice;
        self.callers = (0..CALLERS).map(|number| Caller::new(number, &shared, dice.fork())).collect();
        Ok(())
    }

    /// Compares everything with what was answered.
    fn check(&mut self, server: &Server) -> Result<(), String> {
        let mut client = Client::new(server.kms, Signer::default());
        let listed = Listed::read(&mut client)?;
        listed.adopt(&mut client, &mut self.callers)?;
        let wrong: Vec<String> = thread::scope(|scope| {
            let check = |caller| {
                let (mut client, listed) = (Client::new(server.kms, Signer::default()), &listed);
                scope.spawn(move || Caller::check(caller, &mut client, listed))
            };
            let checking: Vec<_> = self.callers.iter_mut().map(check).collect();
            checking.into_iter().flat_map(|caller| caller.join().expect("it does not panic")).collect()
        });
        if wrong.is_empty() {
            return Ok(());
        }
        let told = wrong.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
        Err(format!("{} things are wrong:\n{told}\nthe log: {}", wrong.len(), server.log()))
    }

    /// All callers at once, and in the middle of it signal 9.
    fn load_and_kill(&mut self, server: Server) -> Result<(), String> {
        let after = Duration::from_millis(self.dice.within(50..600));
        // The last process to close a database does away with its write-ahead log, which is what is sabotaged.
        let backup = (self.dice.chance(25) && self.sabotage.is_none())
            .then(|| Duration::from_millis(self.dice.within(0..150)));
        let kill_backup = self.dice.chance(50).then(|| Duration::from_millis(self.dice.within(1..40)));
        let copy = self.folder.path().join(format!("copy-{}", self.tally.kills));
        let (killed, address, data) = (AtomicBool::new(false), server.kms, self.data());
        let (binary, mut copied) = (self.binary, None);
        let outcomes: Vec<Result<(), String>> = thread::scope(|scope| {
            let load = |caller| {
                let (client, killed) = (Client::new(address, Signer::default()), &killed);
                scope.spawn(move || Caller::load(caller, client, killed))
            };
            let callers: Vec<_> = self.callers.iter_mut().map(load).collect();
            let copying = backup.map(|begin| {
                let (data, copy) = (&data, &copy);
                scope.spawn(move || {
                    thread::sleep(begin);
                    copy::back_up(binary, data, copy, kill_backup)
                })
            });
            thread::sleep(after);
            killed.store(true, Ordering::SeqCst);
            server.kill();
            copied = copying.map(|copying| copying.join().expect("it does not panic"));
            callers.into_iter().map(|caller| caller.join().expect("it does not panic")).collect()
        });
        self.tally.kills += 1;
        if let Some(sabotage) = self.sabotage {
            sabotage(&self.data());
        }
        outcomes.into_iter().collect::<Result<(), String>>()?;
        if let Some(copied) = copied {
            self.tally.backups += 1;
            self.look_through(&copied?, &copy)?;
        }
        Ok(())
    }

    /// A backup that is there is whole, whoever was killed while it was made.
    fn look_through(&mut self, copied: &Copied, copy: &Path) -> Result<(), String> {
        if !copy.exists() {
            return if copied.is_answered {
                Err("a backup that was answered is not there".to_owned())
            } else {
                Ok(())
            };
        }
        let restored = self.folder.path().join("restored");
        let looked = copy::look_through(self.binary, copy, &restored, &self.data(), copied, &self.callers);
        looked.map_err(|problem| format!("the backup {}: {problem}", copy.display()))?;
        fs::remove_dir_all(&restored).map_err(|error| error.to_string())?;
        fs::remove_file(copy).map_err(|error| error.to_string())?;
        self.tally.restored += 1;
        Ok(())
    }

    /// Kills a server that is starting, or has just started.
    fn kill_at_start(&mut self) {
        let starting = Starting::new(&mut self.serve());
        thread::sleep(Duration::from_millis(self.dice.within(0..120)));
        starting.kill();
        self.tally.kills += 1;
    }

    /// Exchanges the root key, is killed meanwhile or not, and leaves whatever that leaves to the next start.
    fn rekey(&mut self) -> Result<(), String> {
        self.tally.rekeyings += 1;
        let mut rekey = command(self.binary, ["rekey", "--to", "file", "--data-dir"]);
        rekey.arg(self.data());
        match self.dice.below(4) {
            0 => {
                let (code, _, stderr) = finish(&mut rekey);
                return if code == 0 { Ok(()) } else { Err(format!("rekey: {stderr}")) };
            }
            1 => {
                let point = CRASH_POINTS[self.dice.below(CRASH_POINTS.len())];
                let (code, _, stderr) = finish(rekey.env("TRENT_TEST_CRASH_AT", point));
                return if matches!(code, 0 | -1) { Ok(()) } else { Err(format!("rekey: {stderr}")) };
            }
            _ => {
                let rekeying = Starting::new(&mut rekey);
                thread::sleep(Duration::from_millis(self.dice.within(0..60)));
                rekeying.kill();
            }
        }
        Ok(())
    }

    /// At the end all keys are made usable, so that the ciphertexts of all are tried; and a stop in good order
    /// loses nothing either.
    fn end(&mut self) -> Result<(), String> {
        let server = self.start()?;
        self.check(&server)?;
        let mut client = Client::new(server.kms, Signer::default());
        for caller in &mut self.callers {
            caller.revive(&mut client)?;
        }
        self.check(&server)?;
        if server.stop() != 0 {
            return Err("it does not stop in good order".to_owned());
        }
        let server = self.start()?;
        self.check(&server)?;
        self.tally.changes = self.callers.iter().map(|caller| caller.changes).sum();
        self.tally.keys = self.callers.iter().map(|caller| caller.keys.len()).sum();
        self.tally.ciphertexts = self.callers.iter().map(Caller::ciphertexts).sum();
        Ok(())
    }
}
