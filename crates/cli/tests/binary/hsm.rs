//! CloudHSM key stores on SoftHSM tokens: the binary is server and worker, OpenSC's client and openssl are the witnesses.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use trent_softhsm::{MODULE, SO_PIN, Shim, Tokens};
use trent_testkit::REGION;

use crate::support::{ACCOUNT, Ask, Server, finish, misused, serve, trent};

pub(crate) const CLUSTER: &str = "cluster-234abcdefABC";
pub(crate) const PASSWORD: &str = "kmsPswd1";
/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Tokens, certificates, and a configuration that names them.
pub(crate) struct World {
    pub(crate) tokens: Tokens,
}

impl World {
    pub(crate) fn new(pins: &[Option<&str>]) -> Self {
        let world = Self { tokens: Tokens::new(pins) };
        world.openssl("req -x509 -newkey rsa:2048 -nodes -subj /CN=customerCA -keyout ca.key -out ca.pem");
        world.openssl("req -newkey rsa:2048 -nodes -subj /CN=cluster -keyout own.key -out own.csr");
        world.openssl("x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out own.pem");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.tokens.folder().join(name)
    }

    fn openssl(&self, words: &str) {
        let mut command = Command::new("openssl");
        command.args(words.split(' ')).current_dir(self.tokens.folder());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Writes the configuration, with these lines for the cluster beside the usual ones.
    pub(crate) fn configure(&self, module: &Path, lines: &str) -> PathBuf {
        self.configure_hsms(module, self.tokens.serials(), lines)
    }

    /// The same for HSMs with tokens of these serial numbers.
    pub(crate) fn configure_hsms(&self, module: &Path, serials: &[String], lines: &str) -> PathBuf {
        let quoted = |name: &str| self.path(name).display().to_string();
        let environment: Vec<_> =
            self.tokens.environment().iter().map(|(name, value)| format!("{name} = '{value}'")).collect();
        let hsms: Vec<_> = ["a", "b", "c"]
            .iter()
            .zip(serials)
            .map(|(zone, serial)| {
                format!("{{ id = 'hsm-{zone}', availability_zone = '{zone}', token_serial = '{serial}' }}")
            })
            .collect();
        let text = format!(
            "[hsm]\nstart_seconds = 60\ncall_seconds = 5\n[[hsm.cluster]]\ncluster_id = '{CLUSTER}'\n\
             account_id = '{ACCOUNT}'\nregion = '{REGION}'\ntrust_anchor_certificate = '{}'\n\
             cluster_certificate = '{}'\nmodule = '{}'\nmodule_environment = {{ {} }}\nhsms = [{}]\n\
             subnets = [{{ id = 'one', availability_zone = 'a' }}, {{ id = 'two', availability_zone = 'b' }}]\n{lines}",
            quoted("ca.pem"),
            quoted("own.pem"),
            module.display(),
            environment.join(", "),
            hsms.join(", "),
        );
        let file = self.path("trent.toml");
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Has the security officers set the password of the user. Who is logged in stays so.
    pub(crate) fn set_passwords(&self, password: &str) {
        for index in 0..self.tokens.serials().len() {
            let label = format!("hsm-{index}");
            let officer = ["--token-label", &label, "--login", "--login-type", "so", "--so-pin", SO_PIN];
            self.tokens.tool(&[&officer[..], &["--init-pin", "--new-pin", password]].concat());
        }
    }

    /// What is in each token, says somebody whom the security officer has let in. The password is [`PASSWORD`] then.
    pub(crate) fn objects(&self) -> Vec<String> {
        self.set_passwords(PASSWORD);
        let all = 0..self.tokens.serials().len();
        all.map(|index| self.tokens.tool_of(index, PASSWORD, &["--list-objects"])).collect()
    }

    pub(crate) fn create(&self, server: &Server, password: &str) -> String {
        let made = server.ok("CreateCustomKeyStore", &self.request("hsm", CLUSTER, password));
        made["CustomKeyStoreId"].as_str().unwrap().to_owned()
    }

    /// A server with a store that is connected.
    #[track_caller]
    pub(crate) fn connected(&self, data: &Path, config: &Path) -> (Server, String) {
        let server = start(data, config);
        let store = self.create(&server, PASSWORD);
        assert_eq!(connect(&server, &store), "CONNECTED", "{}", server.log());
        (server, store)
    }

    pub(crate) fn request(&self, name: &str, cluster: &str, password: &str) -> Value {
        json!({
            "CustomKeyStoreName": name,
            "CloudHsmClusterId": cluster,
            "TrustAnchorCertificate": std::fs::read_to_string(self.path("ca.pem")).unwrap(),
            "KeyStorePassword": password,
        })
    }
}

pub(crate) fn start(data: &Path, config: &Path) -> Server {
    Server::start(serve(data).arg("--config").arg(config))
}

/// Has a server take another configuration.
#[track_caller]
pub(crate) fn reload(server: &Server, config: &Path, text: &str) {
    let reloads = || server.log().matches("configuration reloaded").count();
    let (before, until) = (reloads(), Instant::now() + PATIENCE);
    std::fs::write(config, text).unwrap();
    server.signal(Signal::HUP);
    while reloads() == before {
        assert!(Instant::now() < until, "{}", server.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The state of a connection and why it failed, once it no longer changes.
#[track_caller]
pub(crate) fn state(server: &Server, id: &str) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let all = server.ok("DescribeCustomKeyStores", &json!({"CustomKeyStoreId": id}));
        let shown = &all["CustomKeyStores"][0];
        let state = shown["ConnectionState"].as_str().unwrap();
        if !state.ends_with("ING") {
            return format!("{state} {}", shown["ConnectionErrorCode"].as_str().unwrap_or_default())
                .trim_end()
                .to_owned();
        }
        assert!(Instant::now() < until, "{state}: {}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn named(id: &str) -> Value {
    json!({"CustomKeyStoreId": id})
}

#[track_caller]
pub(crate) fn connect(server: &Server, id: &str) -> String {
    server.ok("ConnectCustomKeyStore", &named(id));
    state(server, id)
}

#[track_caller]
pub(crate) fn disconnect(server: &Server, id: &str) {
    server.ok("DisconnectCustomKeyStore", &named(id));
    assert_eq!(state(server, id), "DISCONNECTED");
}

#[test]
fn a_store_is_connected_to_its_tokens_and_their_password_is_changed() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let (data, config) = (tempfile::tempdir().unwrap(), world.configure(Path::new(MODULE), ""));
    let server = start(data.path(), &config);
    let wrong = world.create(&server, "wrong-password");
    assert_eq!(connect(&server, &wrong), "FAILED INVALID_CREDENTIALS");
    disconnect(&server, &wrong);
    assert!(world.tokens.is_pin(0, PASSWORD), "nothing was changed");
    let right = json!({"CustomKeyStoreId": wrong, "KeyStorePassword": PASSWORD});
    server.ok("UpdateCustomKeyStore", &right);
    assert_eq!(connect(&server, &wrong), "CONNECTED");
    assert!(!world.tokens.is_pin(0, PASSWORD) && !world.tokens.is_pin(1, PASSWORD));

    // What only trent knows is enough to connect again, after a restart too.
    server.stop();
    let server = start(data.path(), &config);
    assert_eq!(state(&server, &wrong), "CONNECTED");
    disconnect(&server, &wrong);
    assert_eq!(connect(&server, &wrong), "CONNECTED");
    disconnect(&server, &wrong);
    server.ok("DeleteCustomKeyStore", &named(&wrong));
    server.stop();
}

#[test]
fn what_tokens_and_modules_do_wrong_is_told_and_harms_nobody() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let shim = Shim::new(&world.tokens);
    let (data, config) =
        (tempfile::tempdir().unwrap(), world.configure(shim.module(), "failed_logins_max = 0\n"));
    let server = start(data.path(), &config);
    let id = world.create(&server, PASSWORD);
    for (function, order, expected) in [
        ("C_Login", "fail a4", "FAILED USER_LOCKED_OUT"),
        ("C_Login", "fail 100", "FAILED USER_LOGGED_IN"),
        ("C_Login", "fail 102", "FAILED USER_NOT_FOUND"),
        ("C_Login", "fail 30", "FAILED NETWORK_ERRORS"),
        ("C_Login", "crash", "FAILED NETWORK_ERRORS"),
        ("C_Login", "hang", "FAILED NETWORK_ERRORS"),
        ("C_GetTokenInfo", "fail e0", "FAILED INSUFFICIENT_CLOUDHSM_HSMS"),
        ("C_SetPIN", "fail 5", "FAILED NETWORK_ERRORS"),
        ("C_SetPIN", "crash", "FAILED NETWORK_ERRORS"),
    ] {
        shim.order(function, order);
        assert_eq!(connect(&server, &id), expected, "{function} {order}: {}", server.log());
        assert!(server.call("ListKeys", &json!({})).0 == 200);
        disconnect(&server, &id);
        shim.revoke(function);
    }
    assert!(world.tokens.is_pin(0, PASSWORD) && world.tokens.is_pin(1, PASSWORD));
    assert_eq!(connect(&server, &id), "CONNECTED", "{}", server.log());
    assert!(!world.tokens.is_pin(0, PASSWORD) && !world.tokens.is_pin(1, PASSWORD));

    let random = || {
        let (status, made) =
            server.call("GenerateRandom", &json!({"NumberOfBytes": 1024, "CustomKeyStoreId": id}));
        let text = if status == 200 { &made["Plaintext"] } else { &made["__type"] };
        (status, text.as_str().unwrap().to_owned())
    };
    let (first, second) = (random(), random());
    assert!(first.0 == 200 && second.0 == 200 && first != second, "{first:?} {second:?}");
    for order in ["fail 30", "crash"] {
        shim.order("C_GenerateRandom", order);
        assert_eq!(random(), (500, "KMSInternalException".to_owned()), "{order}");
        shim.revoke("C_GenerateRandom");
        // A worker that has died twice is left alone for a moment.
        let until = Instant::now() + PATIENCE;
        while random().0 != 200 {
            assert!(Instant::now() < until, "{}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    server.stop();
}

#[test]
fn one_token_of_two_is_enough_and_the_other_catches_up() {
    let mut world = World::new(&[Some(PASSWORD)]);
    let later = "0123456789abcdef";
    let line = format!(
        "hsms = [{{ id = 'a', availability_zone = 'a', token_serial = '{}' }}, \
         {{ id = 'b', availability_zone = 'b', token_serial = 'SERIAL' }}]",
        world.tokens.serial(0)
    );
    let configure = |world: &World, serial: &str| {
        let config = world.configure(Path::new(MODULE), "");
        let text = std::fs::read_to_string(&config).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("hsms = "));
        let text = lines.collect::<Vec<_>>().join("\n") + "\n" + &line.replace("SERIAL", serial) + "\n";
        std::fs::write(&config, text).unwrap();
        config
    };
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path(), &configure(&world, later));
    let id = world.create(&server, PASSWORD);
    assert_eq!(connect(&server, &id), "CONNECTED");
    disconnect(&server, &id);
    server.stop();
    // As an HSM that comes back with the password that it had.
    world.tokens.add("hsm-1", Some(PASSWORD));
    let server = start(data.path(), &configure(&world, world.tokens.serial(1)));
    assert_eq!(connect(&server, &id), "CONNECTED");
    assert!(!world.tokens.is_pin(0, PASSWORD));
    server.stop();
}

#[test]
fn clusters_are_listed_and_their_hsms_are_tried() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let config = world.configure(Path::new(MODULE), "");
    let cluster =
        |words: &[&str]| finish(trent(&["admin", "cluster"]).args(words).arg("--config").arg(&config));
    let (code, listed, _) = cluster(&["list"]);
    assert_eq!((code, listed.lines().count()), (0, 3), "{listed}");
    assert!(
        listed.starts_with("CLUSTER               HSM    ZONE  TOKEN             STATE   FOUND\n"),
        "{listed}"
    );
    assert!(listed.contains(world.tokens.serial(1)), "{listed}");

    let (code, found, _) = cluster(&["check", CLUSTER]);
    assert_eq!(code, 0, "{found}");
    assert!(found.contains("ACTIVE  hsm-0 (SoftHSM project SoftHSM v2)"), "{found}");
    let file = world.path("password").display().to_string();
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let (code, found, _) = cluster(&["check", CLUSTER, "--password-file", &file]);
    assert!(
        code == 1 && found.contains("the token has no such key"),
        "SoftHSM's tokens share nothing: {found}"
    );
    world.configure(Path::new(MODULE), "replication = 'oaep_transfer'\n");
    let (code, found, _) = cluster(&["check", CLUSTER, "--password-file", &file]);
    assert_eq!((code, found.matches("a trial key works in all HSMs").count()), (0, 2), "{found}");
    assert_eq!(world.tokens.tool_of(0, PASSWORD, &["--list-objects"]), "", "the key was destroyed");

    std::fs::write(&file, "wrong-password").unwrap();
    let (code, found, _) = cluster(&["check", CLUSTER, "--password-file", &file]);
    assert_eq!((code, found.matches("the PIN is wrong").count()), (1, 1), "one wrong PIN is enough: {found}");
    // This module takes zeros for an IV as they are, and says so before anything is encrypted for anybody.
    world.configure(Path::new(MODULE), "gcm_iv = 'zero_in_place'\nreplication = 'oaep_transfer'\n");
    std::fs::write(&file, PASSWORD).unwrap();
    let (code, found, _) = cluster(&["check", CLUSTER, "--password-file", &file]);
    assert!(code == 1 && found.contains("the module does not treat the IV as configured"), "{found}");
    assert_eq!(world.tokens.tool_of(0, PASSWORD, &["--list-objects"]), "", "the key was destroyed");
    world.tokens.remove(1);
    let (code, found, _) = cluster(&["check", CLUSTER, "--json"]);
    assert_eq!(code, 1);
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found[1]["found"], "the token is not present");
}

#[test]
fn a_cluster_that_cannot_be_is_refused_at_the_start() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let check = |from: &str, to: &str| {
        let config = world.configure(Path::new(MODULE), "");
        let text = std::fs::read_to_string(&config).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&config, text.replace(from, to)).unwrap();
        misused(trent(&["admin", "cluster", "list", "--config"]).arg(&config))
    };
    assert!(check(CLUSTER, "cluster-1a23b4cdefg").contains("no id of a cluster"));
    assert!(check("own.pem", "none.pem").contains("No such file"));
    assert!(check("own.pem", "own.csr").contains("no certificate"));
    assert!(check("hsms =", "pin_format = 'x'\nhsms =").contains("pin_format must have {password} in it"));
    assert!(check(world.tokens.serial(1), world.tokens.serial(0)).contains("two HSMs have the same token"));
    world.openssl("req -x509 -newkey rsa:2048 -nodes -subj /CN=customerCA -keyout other.key -out other.pem");
    assert!(check("ca.pem", "other.pem").contains("was not signed by the trust anchor"));
}

#[test]
fn a_worker_that_nobody_started_says_so() {
    let (code, _, stderr) = finish(&mut trent(&["hsm-worker"]));
    assert!(code == 1 && stderr.contains("no process that trent has started as a worker"), "{stderr}");
}

#[test]
fn the_doctor_says_what_is_wrong_with_hsms_and_what_to_do() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let shim = Shim::new(&world.tokens);
    let data = tempfile::tempdir().unwrap();
    let doctor = |config: &Path| {
        let mut command = trent(&["doctor", "--listen", "127.0.0.1:0", "--data-dir"]);
        let (_, findings, stderr) = finish(command.arg(data.path()).arg("--config").arg(config));
        let about_hsms = findings.lines().filter(|line| line.contains("cluster") || line.contains("HSM"));
        (about_hsms.map(str::to_owned).collect::<Vec<_>>(), stderr)
    };
    let configure = |lines: &str| world.configure(shim.module(), lines);
    let (found, _) = doctor(&configure("replication = 'oaep_transfer'\n"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found.iter().all(|line| line.starts_with("ok") && line.contains("is there and ready")),
        "{found:?}"
    );

    let all_wrong = |config: &Path, expected: &str| {
        let (found, _) = doctor(config);
        assert!(
            found.iter().any(|line| line.starts_with("WRONG") && line.contains(expected)),
            "{expected}: {found:?}"
        );
    };
    for (order, expected) in [
        ("fail 30", "the token is not present; attach the HSM"),
        ("crash", "the library crashed; ask its vendor"),
        ("hang", "or raise hsm.start_seconds and hsm.call_seconds"),
    ] {
        shim.order("C_GetTokenInfo", order);
        all_wrong(&configure(""), expected);
        shim.revoke("C_GetTokenInfo");
    }
    all_wrong(&world.configure(Path::new("/nowhere.so"), ""), "/nowhere.so: the module cannot be used");
    let text = std::fs::read_to_string(configure("")).unwrap();
    let config = world.path("other.toml");
    std::fs::write(&config, text.replace("'b'", "'a'")).unwrap();
    let (found, _) = doctor(&config);
    assert!(found.iter().any(|line| line.starts_with("warning") && line.contains("one availability zone")));
    assert!(!world.tokens.is_pin(0, "wrong-password"));
    let (found, _) = doctor(&configure(""));
    assert!(
        found.iter().any(|line| line.starts_with("warning") && line.contains("a wrong PIN was tried last"))
    );
    world.tokens.remove(1);
    all_wrong(&configure(""), "is not present; attach the HSM");

    let pin = world.path("pin");
    std::fs::write(&pin, PASSWORD).unwrap();
    std::fs::set_permissions(&pin, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let tables = format!(
        "[root_key]\nprovider = 'pkcs11'\n[root_key_pkcs11]\nmodule = '{MODULE}'\ntoken_label = 'hsm-9'\n\
         [[xks_proxy.token]]\nname = 'one'\nmodule = '{MODULE}'\ntoken_serial = '0'\npin_file = '{}'\n",
        pin.display()
    );
    std::fs::write(&config, tables).unwrap();
    all_wrong(&config, "HSM of the root key: the token `hsm-9` is not there");
    all_wrong(&config, "HSM `one` of external keys: others may read the PIN");
    all_wrong(&config, "HSM `one` of external keys: the token 0 is not there");
}
