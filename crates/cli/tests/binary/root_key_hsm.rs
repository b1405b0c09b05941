//! A root key that a key in an HSM encrypts: moved there and back, with the HSM away, with the power failing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use trent_softhsm::{MODULE, Shim, Tokens};

use crate::root_key::{Used, none, passphrase, rekeyed_until};
use crate::support::{finish, misused, names_in, trent};

const PIN: &str = "1234-root";

/// A token, and configurations that name it.
struct World {
    tokens: Tokens,
}

impl World {
    fn new() -> Self {
        Self { tokens: Tokens::new(&[Some(PIN)]) }
    }

    /// Writes a configuration with `[root_key_pkcs11]` and these lines in it.
    fn write(&self, name: &str, module: &Path, lines: &str) -> PathBuf {
        let environment: Vec<_> =
            self.tokens.environment().iter().map(|(name, value)| format!("{name} = '{value}'")).collect();
        let text = format!(
            "[hsm]\nstart_seconds = 60\ncall_seconds = 5\n[root_key_pkcs11]\nmodule = '{}'\n\
             module_environment = {{ {} }}\n{lines}\n",
            module.display(),
            environment.join(", ")
        );
        let file = self.tokens.folder().join(name);
        fs::write(&file, text).unwrap();
        file
    }

    fn config(&self) -> PathBuf {
        self.write("trent.toml", Path::new(MODULE), "token_label = 'hsm-0'")
    }
}

/// What a command needs to open a root key in the token.
fn with<'c>(config: &Path, command: &'c mut Command) -> &'c mut Command {
    command.arg("--config").arg(config).env("TRENT_ROOT_PIN", PIN)
}

/// The same, for one that is to be there from the first start.
fn inside<'c>(config: &Path, command: &'c mut Command) -> &'c mut Command {
    with(config, command).args(["--root-key-provider", "pkcs11"])
}

#[test]
fn keys_survive_a_move_into_an_hsm_and_out_of_it() {
    let (world, used) = (World::new(), Used::new());
    let config = world.config();
    let (code, told, stderr) = finish(with(&config, &mut used.rekey("pkcs11")));
    assert_eq!(code, 0, "{stderr}");
    assert!(told.contains("It opens with key `trent-root-key` of the HSM"), "{told}");
    assert!(!used.path("root.key").exists() && used.path("root.pkcs11").exists());
    let made = world.tokens.tool_of(0, PIN, &["--list-objects"]);
    assert!(made.contains("AES length 32") && made.contains("trent-root-key"), "{made}");
    assert!(made.contains("always sensitive, never extractable, local"), "{made}");
    used.is_readable(|command| with(&config, command));

    // To a new root key under the same key, then to a passphrase, back, and to a file.
    let before = fs::read(used.path("root.pkcs11")).unwrap();
    let (code, _, stderr) = finish(with(&config, &mut used.rekey("pkcs11")));
    assert_eq!(code, 0, "{stderr}");
    assert_ne!(fs::read(used.path("root.pkcs11")).unwrap(), before);
    used.is_readable(|command| with(&config, command));
    let mut command = used.rekey("passphrase");
    let (code, _, stderr) =
        finish(with(&config, &mut command).env("TRENT_NEW_ROOT_PASSPHRASE", "correct horse"));
    assert_eq!(code, 0, "{stderr}");
    used.is_readable(passphrase);
    let (code, _, stderr) = finish(with(&config, passphrase(&mut used.rekey("pkcs11"))));
    assert_eq!(code, 0, "{stderr}");
    assert!(!used.path("root.passphrase").exists());
    used.is_readable(|command| with(&config, command));
    assert_eq!(finish(with(&config, &mut used.rekey("file"))).0, 0);
    used.is_readable(none);
    let replaced = names_in(used.dir.path()).into_iter().filter(|name| name.contains(".replaced-by-"));
    assert_eq!(replaced.count(), 5, "no key is deleted");
    assert_eq!(
        world.tokens.tool_of(0, PIN, &["--list-objects"]).matches("AES").count(),
        1,
        "one key is enough"
    );
}

#[test]
fn without_its_token_a_root_key_is_not_opened_and_it_is_said_what_to_do() {
    let world = World::new();
    let config = world.config();
    let used = Used::with(|command| inside(&config, command));
    assert!(used.path("root.pkcs11").exists() && !used.path("root.key").exists());
    let before = used.contents();
    let serve = |config: &Path| misused(with(config, &mut used.serve()));
    let other = |lines: &str| world.write("other.toml", Path::new(MODULE), lines);

    assert!(misused(&mut used.serve()).contains("root_key_pkcs11.module"));
    let no_pin = misused(used.serve().arg("--config").arg(&config));
    assert!(no_pin.contains("needs its user's PIN") && no_pin.contains("pin_file"), "{no_pin}");
    let wrong = misused(with(&config, &mut used.serve()).env("TRENT_ROOT_PIN", "4321-root"));
    assert!(wrong.contains("does not take the PIN; put the right one in place"), "{wrong}");
    let gone = serve(&other("token_label = 'elsewhere'"));
    assert!(gone.contains("the token `elsewhere` is not there; attach the HSM"), "{gone}");
    let nameless = serve(&other(""));
    assert!(nameless.contains("root_key_pkcs11.token_serial"), "{nameless}");
    let no_key = serve(&other("token_label = 'hsm-0'\nkey_label = 'another'"));
    assert!(no_key.contains("has no key `another`; bring that key back"), "{no_key}");
    assert_eq!(world.tokens.tool_of(0, PIN, &["--list-objects"]).matches("AES").count(), 1, "none is made");
    world.tokens.tool_of(0, PIN, &["--keygen", "--key-type", "AES:32", "--label", "another", "--id", "0a0b"]);
    for name in ["key_label = 'another'", "key_id = '0A0b'"] {
        let another = serve(&other(&format!("token_label = 'hsm-0'\n{name}")));
        assert!(another.contains("does not open the root key: it is another key"), "{another}");
    }
    assert_eq!(used.contents(), before);
    let (code, _, stderr) = finish(with(&config, &mut used.rekey("file")).env("TRENT_ROOT_PIN", "4321-root"));
    assert!(code == 2 && stderr.contains("does not take the PIN"), "{stderr}");
    assert_eq!(used.contents(), before);
    used.is_readable(|command| with(&config, command));

    let text = fs::read_to_string(used.path("root.pkcs11")).unwrap();
    fs::write(used.path("root.pkcs11"), &text[..text.len() - 3]).unwrap();
    assert!(serve(&config).contains("root.pkcs11: the root key file is cut short"));
}

#[test]
fn a_module_that_hangs_or_crashes_is_told_and_ended() {
    let world = World::new();
    let shim = Shim::new(&world.tokens);
    let config = world.write("trent.toml", shim.module(), "token_label = 'hsm-0'");
    let used = Used::with(|command| inside(&config, command));
    for (order, expected) in
        [("hang", "does not answer"), ("crash", "crashed"), ("fail 30", "the device failed")]
    {
        shim.order("C_Login", order);
        let (code, _, stderr) = finish(with(&config, &mut used.serve()));
        let last = stderr.trim_end().lines().last().unwrap();
        assert!(code == 2 && last.starts_with("trent: ") && last.contains(expected), "{order}: {stderr}");
        shim.revoke("C_Login");
    }
    used.is_readable(|command| with(&config, command));
}

#[test]
fn a_key_that_does_not_give_back_the_root_key_is_not_moved_to() {
    let (world, used) = (World::new(), Used::new());
    let config = world.write("short.toml", Path::new(MODULE), "token_label = 'hsm-0'\nkey_label = 'short'");
    world.tokens.tool_of(0, PIN, &["--keygen", "--key-type", "AES:16", "--label", "short"]);
    let before = used.contents();
    let refused = misused(with(&config, &mut used.rekey("pkcs11")));
    assert!(refused.contains("is no AES-256 key"), "{refused}");
    // SoftHSM takes zeros for an IV as they are.
    let config =
        world.write("zeros.toml", Path::new(MODULE), "token_label = 'hsm-0'\ngcm_iv = 'zero_in_place'");
    let (code, _, stderr) = finish(with(&config, &mut used.rekey("pkcs11")));
    assert!(code == 2 && stderr.contains("does not treat the IV as configured"), "{stderr}");
    assert_eq!(used.contents(), before);
    used.is_readable(none);
}

#[test]
fn a_root_key_moves_from_one_token_to_another() {
    let mut world = World::new();
    world.tokens.add("new", Some("5678-root"));
    let old = world.config();
    let pin = world.tokens.folder().join("pin");
    fs::write(&pin, "5678-root\n").unwrap();
    let lines = format!(
        "token_serial = '{}'\nkey_label = 'second'\npin_file = '{}'",
        world.tokens.serial(1),
        pin.display()
    );
    let new = world.write("new.toml", Path::new(MODULE), &lines);
    let used = Used::with(|command| inside(&old, command));
    let mut command = used.rekey("pkcs11");
    let (code, _, stderr) = finish(with(&old, &mut command).arg("--new-config").arg(&new));
    assert_eq!(code, 0, "{stderr}");
    let refused = misused(with(&old, &mut used.serve()));
    assert!(refused.contains("does not open the root key"), "{refused}");
    // The PIN is in a file of its own.
    used.is_readable(|command| command.arg("--config").arg(&new));
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "release builds do not crash on demand")]
fn a_crash_at_any_step_leaves_one_root_key_that_opens() {
    let world = World::new();
    let config = world.config();
    for step in ["pending-written", "database-committed"] {
        rekeyed_until(step, "pkcs11", |command| with(&config, command), |command| with(&config, command));
    }
    rekeyed_until(
        "pending-written",
        "file",
        |command| inside(&config, command),
        |command| inside(&config, command),
    );
    rekeyed_until("database-committed", "file", |command| inside(&config, command), none);
    rekeyed_until("old-key-aside", "passphrase", |command| inside(&config, command), passphrase);
    rekeyed_until(
        "database-committed",
        "pkcs11",
        |command| with(&config, passphrase(command)),
        |command| with(&config, command),
    );
    rekeyed_until(
        "old-key-aside",
        "pkcs11",
        |command| inside(&config, command),
        |command| with(&config, command),
    );
}

#[test]
fn the_doctor_tries_no_pin_where_a_wrong_one_was_tried_last() {
    let world = World::new();
    let shim = Shim::new(&world.tokens);
    let config = world.write("trent.toml", shim.module(), "token_label = 'hsm-0'");
    let used = Used::with(|command| inside(&config, command));
    let doctor = |pin: &str| {
        let mut command = trent(&["doctor", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(used.dir.path()).arg("--config").arg(&config).env("TRENT_ROOT_PIN", pin);
        let before = shim.tried_pins().0;
        let (_, findings, _) = finish(&mut command);
        let root_key = findings.lines().find(|line| line.contains("  root key: ")).unwrap().to_owned();
        (shim.tried_pins().0 - before, root_key)
    };
    let (tries, well) = doctor(PIN);
    assert!(tries == 1 && well.starts_with("ok ") && well.contains("opens this database"), "{tries} {well}");
    let (tries, wrong) = doctor("4321-root");
    assert!(tries == 1 && wrong.contains("does not take the PIN"), "{tries} {wrong}");
    // From here on the token says that it has seen a wrong one.
    for pin in ["4321-root", PIN] {
        let (tries, spared) = doctor(pin);
        assert!(
            tries == 0 && spared.starts_with("WRONG ") && spared.contains("so none is tried"),
            "{spared}"
        );
    }
    used.is_readable(|command| with(&config, command));
    assert_eq!(doctor(PIN).0, 1, "the server was let in");
    for (flags, expected) in [("20000", "the next wrong PIN locks"), ("40000", "wrong PINs have locked")] {
        shim.flag_tokens(flags);
        let (tries, spared) = doctor(PIN);
        assert!(tries == 0 && spared.starts_with("WRONG ") && spared.contains(expected), "{spared}");
    }
}
