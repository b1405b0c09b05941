//! SoftHSM tokens in a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// SoftHSM's module, where Debian has it.
pub const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// The PIN of every token's security officer.
pub const SO_PIN: &str = "security-officer";

/// Tells a process that it is the inner one of [`on_tokens`], and where its tokens are.
const INNER: &str = "TRENT_TEST_TOKENS";

/// Some tokens, and nothing else in their configuration.
pub struct Tokens {
    folder: PathBuf,
    serials: Vec<String>,
    /// Removed with the last use. The inner process of [`on_tokens`] has it not.
    _owned: Option<TempDir>,
}

impl Tokens {
    /// Makes a token for each of these PINs of its user; without a PIN there is no user.
    pub fn new(pins: &[Option<&str>]) -> Self {
        let owned = tempfile::tempdir().expect("a temporary folder");
        let folder = owned.path().to_owned();
        fs::create_dir(folder.join("tokens")).expect("a folder for tokens");
        let config =
            format!("directories.tokendir = {}\nlog.level = ERROR\n", folder.join("tokens").display());
        fs::write(folder.join("softhsm2.conf"), config).expect("a configuration");
        let mut tokens = Self { folder, serials: Vec::new(), _owned: Some(owned) };
        for (number, pin) in pins.iter().enumerate() {
            tokens.add(&format!("hsm-{number}"), *pin);
        }
        tokens
    }

    /// Makes another token.
    pub fn add(&mut self, label: &str, pin: Option<&str>) {
        let mut line = vec!["--init-token", "--free", "--label", label, "--so-pin", SO_PIN];
        line.extend(["--pin", pin.unwrap_or("nobody")]);
        if pin.is_none() {
            // `softhsm2-util` always makes a user.
            let last = format!("{}", self.serials.len());
            self.tool(&["--init-token", "--slot-index", &last, "--label", label, "--so-pin", SO_PIN]);
        } else {
            run(self.command("softhsm2-util").args(&line));
        }
        let serial = self.serial_of(label);
        self.serials.push(serial);
    }

    /// Removes a token from its slot, for good.
    pub fn remove(&self, index: usize) {
        run(self.command("softhsm2-util").args(["--delete-token", "--serial", self.serial(index)]));
    }

    /// The serial numbers, in the order of the PINs.
    pub fn serials(&self) -> &[String] {
        &self.serials
    }

    /// The serial number of one of them.
    pub fn serial(&self, index: usize) -> &str {
        self.serials.get(index).expect("a token of this number")
    }

    /// The folder that all of it is in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a process that is to see these tokens, through SoftHSM's module or the shim, needs in its environment.
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: PathBuf| path.display().to_string();
        vec![
            ("SOFTHSM2_CONF".to_owned(), text(self.folder.join("softhsm2.conf"))),
            ("TRENT_SHIM_MODULE".to_owned(), MODULE.to_owned()),
            ("TRENT_SHIM_ORDERS".to_owned(), text(self.orders())),
        ]
    }

    /// Where the shim finds its orders.
    pub(crate) fn orders(&self) -> PathBuf {
        self.folder.join("orders")
    }

    /// What OpenSC's client says when asked about these tokens.
    pub fn tool(&self, arguments: &[&str]) -> String {
        run(self.command("pkcs11-tool").args(["--module", MODULE]).args(arguments))
    }

    /// The same, of one token, logged in as its user.
    pub fn tool_of(&self, index: usize, pin: &str, arguments: &[&str]) -> String {
        let label = format!("hsm-{index}");
        let login = ["--token-label", &label, "--login", "--pin", pin];
        self.tool(&[&login, arguments].concat())
    }

    /// Whether OpenSC's client can log in to a token with this PIN.
    pub fn is_pin(&self, index: usize, pin: &str) -> bool {
        let label = format!("hsm-{index}");
        let mut command = self.command("pkcs11-tool");
        command.args(["--module", MODULE, "--token-label", &label, "--login", "--pin", pin, "-O"]);
        command.output().expect("pkcs11-tool").status.success()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment());
        command
    }

    fn serial_of(&self, label: &str) -> String {
        let slots = run(self.command("softhsm2-util").arg("--show-slots"));
        let mut serial = "";
        for line in slots.lines() {
            match line.split_once(':').map(|(name, value)| (name.trim(), value.trim())) {
                Some(("Serial number", value)) => serial = value,
                Some(("Label", value)) if value == label => return serial.to_owned(),
                _ => {}
            }
        }
        panic!("no token `{label}` in {slots}");
    }
}

/// Runs `body` in a process of its own that sees tokens with these PINs and nothing else: a module reads its environment
/// once in a process. `name` is the whole name of the test that calls this.
pub fn on_tokens(name: &str, pins: &[Option<&str>], body: impl FnOnce(&Tokens)) {
    #[expect(clippy::disallowed_methods, reason = "this is how the inner process knows that it is one")]
    let inner = std::env::var(INNER);
    if let Ok(folder) = inner {
        let folder = PathBuf::from(folder);
        let listed = fs::read_to_string(folder.join("serials")).expect("the list of serial numbers");
        let serials = listed.lines().map(str::to_owned).collect();
        return body(&Tokens { folder, serials, _owned: None });
    }
    let tokens = Tokens::new(pins);
    fs::write(tokens.folder.join("serials"), tokens.serials.join("\n")).expect("a list of serial numbers");
    let mut inner = Command::new(std::env::current_exe().expect("this test"));
    inner.args([name, "--exact", "--nocapture"]).envs(tokens.environment()).env(INNER, &tokens.folder);
    let said = run(&mut inner);
    // A name that is not this test's would run none, and succeed.
    assert!(said.contains("1 passed"), "`{name}` is no test: {said}");
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{error}: {command:?}; `cargo xtask setup` installs what is missing");
    });
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        said(&output.stdout),
        said(&output.stderr)
    );
    said(&output.stdout)
}
