//! A module that stands before SoftHSM's and, when told to, hangs, crashes or answers with an error, or shows a token as
//! several HSMs that share their keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tokens::Tokens;

const SOURCE: &str = include_str!("shim.c");

/// The built module, and the folder that its orders are read from at every call.
pub struct Shim {
    module: PathBuf,
    orders: PathBuf,
}

impl Shim {
    /// Builds the module into the folder of these tokens.
    pub fn new(tokens: &Tokens) -> Self {
        let shim = Self { module: tokens.folder().join("shim.so"), orders: tokens.orders() };
        if !shim.module.exists() {
            fs::create_dir_all(&shim.orders).expect("a folder for orders");
            let source = tokens.folder().join("shim.c");
            fs::write(&source, SOURCE).expect("a source file");
            let mut compiler = Command::new("cc");
            compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&shim.module);
            let done = compiler.arg(&source).arg("-ldl").status().expect("cc; `cargo xtask setup`");
            assert!(done.success(), "the shim does not compile");
        }
        shim
    }

    /// The module.
    pub fn module(&self) -> &Path {
        &self.module
    }

    /// Shows the first of these tokens, and there must be no other, as so many HSMs: what is in one is in all, and they have
    /// one user. Of processes that load the module from now on. Gives their serial numbers.
    pub fn share(&self, tokens: &Tokens, hsms: usize) -> Vec<String> {
        self.order("shared-by", &format!("hsms {hsms}"));
        let rest = tokens.serial(0).get(1..).expect("a serial number of SoftHSM");
        SHARING.chars().take(hsms).map(|first| format!("{first}{rest}")).collect()
    }

    /// From now on, `function` (such as `C_Encrypt`) does this: `hang`, `crash`, `wait 200` (milliseconds), `late 200`
    /// (to answer what it has done; once, and not of all functions), `fail 30` (the code in hexadecimal digits), `own-iv` (of C_Encrypt,
    /// as modules do that choose the IV).
    pub fn order(&self, function: &str, what: &str) {
        // In one step: the module may be reading.
        let draft = self.orders.join("draft");
        fs::write(&draft, what).expect("an order");
        fs::rename(draft, self.orders.join(function)).expect("an order");
    }

    /// From now on, all that concerns a token does this. With `fail e0` it is as if it were removed, with `hide` as if no
    /// key were in it, with `hide 3` the first three times.
    pub fn order_token(&self, serial: &str, what: &str) {
        self.order(&slot(serial), what);
    }

    /// From now on, all that concerns a token does as SoftHSM does.
    pub fn revoke_token(&self, serial: &str) {
        self.revoke(&slot(serial));
    }

    /// From now on, a process that has seen a token fail sees it no more, as with modules that look for them but once.
    pub fn forget_slots(&self) {
        self.order("forgets-slots", "");
    }

    /// From now on, every token says that it has these flags (in hexadecimal digits), too.
    pub fn flag_tokens(&self, flags: &str) {
        self.order("token-flags", flags);
    }

    /// How many PINs were tried through it in all tokens, and how many of them were wrong.
    pub fn tried_pins(&self) -> (usize, usize) {
        let tries = fs::read(self.orders.join("logins")).unwrap_or_default();
        (tries.len(), tries.iter().filter(|&&try_| try_ == b'x').count())
    }

    /// Whether an order to be late was obeyed: what was asked for is done, and its answer is on its way.
    pub fn is_obeyed(&self, function: &str) -> bool {
        !self.orders.join(function).exists()
    }

    /// From now on, `function` does as SoftHSM does.
    pub fn revoke(&self, function: &str) {
        fs::remove_file(self.orders.join(function)).expect("an order to revoke");
    }
}

/// What the serial numbers of HSMs that are one token begin with.
const SHARING: &str = "pqrstuvw";

/// The file with the orders for a token. SoftHSM makes the number of its slot of the end of its serial number.
fn slot(serial: &str) -> String {
    let number_of_several = serial.chars().next().and_then(|first| SHARING.find(first)).unwrap_or_default();
    let end = serial.get(serial.len().saturating_sub(8)..).expect("a serial number of SoftHSM");
    let number = u32::from_str_radix(end, 16).expect("a serial number of SoftHSM");
    format!("slot-{}", u64::from(number & 0x7fff_ffff) | (number_of_several as u64) << 32)
}
