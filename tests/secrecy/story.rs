//! What the binary goes through before its traces are searched: all that touches a secret, and all that may go wrong
//! with one in hand, at the level of the log at which most is told.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use trent_testkit::frames::{self, flag, kind};
use trent_testkit::{
    Client, Dice, FIRST_SECRET, ImportParameters, Server, Signer, base64, bytes, command, connect, finish,
    receive, serve,
};

use crate::needles::Needles;

const CONFIGURED_SECRET: &str = "a-secret-of-the-configuration-file-00000";
pub(crate) const PASSPHRASE: &str = "correct horse battery staple, and then some";

/// The traces of a story, and the secrets that its client knows.
pub(crate) struct Told {
    /// Holds `data`, `tmp` and backups, which are searched, and `outside`, which is not.
    pub(crate) folder: TempDir,
    /// All that was logged and printed.
    pub(crate) output: Vec<(String, String)>,
    pub(crate) needles: Needles,
    /// A blob and its plaintext.
    pub(crate) sample: (Vec<u8>, Vec<u8>),
}

/// One who lives it.
struct Teller<'b> {
    binary: &'b Path,
    level: &'b str,
    told: Told,
    dice: Dice,
    blobs: Vec<Value>,
    keys: Vec<Value>,
}

/// Lives through it.
pub(crate) fn live(binary: &Path, level: &str) -> Told {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["tmp", "outside"] {
        fs::create_dir(folder.path().join(name)).expect("a folder in it");
    }
    let told = Told { folder, output: Vec::new(), needles: Needles::default(), sample: Default::default() };
    let dice = Dice::new(Dice::any_seed());
    let mut teller = Teller { binary, level, told, dice, blobs: Vec::new(), keys: Vec::new() };
    teller.told.needles.add("the administrator's secret", FIRST_SECRET.as_bytes());
    teller.told.needles.add("the configured secret", CONFIGURED_SECRET.as_bytes());
    teller.use_and_kill();
    teller.use_and_stop();
    teller.told.needles.add("the passphrase", PASSPHRASE.as_bytes());
    for to in ["file", "passphrase"] {
        teller.command("rekey", &["--to", to]);
        let server = teller.start();
        teller.decrypt_all(&server);
        teller.end(server);
    }
    teller.told
}

impl Teller<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.told.folder.path().join(name)
    }

    fn start(&self) -> Server {
        let file = self.path("outside/identities.toml");
        let configured = format!(
            "[[account]]\nid = \"444455556666\"\nname = \"other\"\n[[account.user]]\nname = \"alice\"\n\
             [[account.user.access_key]]\nid = \"AKIAALICEALICEALICE0\"\nsecret = \"{CONFIGURED_SECRET}\"\n"
        );
        fs::write(&file, configured).expect("a file");
        let mut command = serve(self.binary, &self.path("data"));
        command.args(["--log", self.level]).env("TRENT_IDENTITY__FILE", file);
        if self.path("data/root.passphrase").exists() {
            command.env("TRENT_ROOT_PASSPHRASE", PASSPHRASE);
        }
        Server::start(command.env("TMPDIR", self.path("tmp")))
    }

    fn end(&mut self, server: Server) {
        let (code, log) = server.end_with(Signal::TERM);
        assert_eq!(code, 0, "{log}");
        self.told.output.push(("the log".to_owned(), log));
    }

    /// Everything, then signal 9: the write-ahead log stays as it is.
    fn use_and_kill(&mut self) {
        let server = self.start();
        self.use_keys(&server);
        self.provoke_errors(&server);
        self.encrypt_over_http2(&server);
        let (_, log) = server.end_with(Signal::KILL);
        self.told.output.push(("the log of the killed".to_owned(), log));
        // What a start then makes of it is another matter.
        let killed = self.path("killed");
        fs::create_dir(&killed).expect("a folder");
        for entry in fs::read_dir(self.path("data")).expect("the data") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                fs::copy(&path, killed.join(path.file_name().expect("a name"))).expect("a copy");
            }
        }
    }

    fn use_and_stop(&mut self) {
        let server = self.start();
        self.decrypt_all(&server);
        self.use_keys(&server);
        server.signal(Signal::HUP);
        server.wait_for_log("configuration reloaded");
        self.add_access_key(&server);
        let backup = self.path("backup.db");
        self.command("backup", &[backup.to_str().expect("a path")]);
        self.end(server);
    }

    fn command(&mut self, name: &str, arguments: &[&str]) -> String {
        let mut command: Command = command(self.binary, [name, "--data-dir"]);
        command.arg(self.path("data")).args(arguments);
        command.env("TRENT_NEW_ROOT_PASSPHRASE", PASSPHRASE).env("TMPDIR", self.path("tmp"));
        let (code, told, problem) = finish(&mut command);
        assert_eq!(code, 0, "trent {name}: {problem}");
        self.told.output.push((format!("trent {name}"), problem));
        told
    }

    fn client(server: &Server) -> Client {
        Client::new(server.kms, Signer::default())
    }

    fn use_keys(&mut self, server: &Server) {
        let mut client = Self::client(server);
        for _ in 0..5 {
            let key = client.ok("CreateKey", &json!({}))["KeyMetadata"]["KeyId"].take();
            for _ in 0..3 {
                self.encrypt(&mut client, &key);
                self.make_data_key(&mut client, &key);
                client.ok("RotateKeyOnDemand", &json!({"KeyId": key}));
            }
            self.keys.push(key);
        }
        self.import(&mut client);
        self.grant(&mut client);
        let random = client.ok("GenerateRandom", &json!({"NumberOfBytes": 64}));
        self.told.needles.add("random bytes", &bytes(&random["Plaintext"]));
        let again = json!({"CiphertextBlob": self.blobs[0], "DestinationKeyId": self.keys[1]});
        self.blobs.push(client.ok("ReEncrypt", &again)["CiphertextBlob"].take());
    }

    /// Material of the client's own; and some that is refused, once it has been unwrapped.
    fn import(&mut self, client: &mut Client) {
        let (algorithm, spec) = ("RSA_AES_KEY_WRAP_SHA_256", "RSA_2048");
        let key = client.ok("CreateKey", &json!({"Origin": "EXTERNAL"}))["KeyMetadata"]["KeyId"].take();
        let wanted = json!({"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec});
        let answer = client.ok("GetParametersForImport", &wanted);
        let parameters = ImportParameters::read(key.as_str().expect("an id"), algorithm, spec, &answer);
        let (material, refused) = (self.dice.bytes(32), self.dice.bytes(33));
        self.told.needles.add("imported material", &material);
        self.told.needles.add("material that was not imported", &refused);
        let (status, answer) =
            client.call("ImportKeyMaterial", &parameters.request(&refused)).expect("an answer");
        assert_ne!(status, 200, "{answer}");
        client.ok("ImportKeyMaterial", &parameters.request(&material));
        self.encrypt(client, &key);
    }

    /// Grant tokens: used, refused when altered, and given back.
    fn grant(&mut self, client: &mut Client) {
        let (key, root) = (self.keys[0].clone(), format!("arn:aws:iam::{}:root", trent_testkit::ACCOUNT));
        let request = json!({"KeyId": key, "GranteePrincipal": root, "Operations": ["Encrypt"]});
        let token = client.ok("CreateGrant", &request)["GrantToken"].take();
        // What is the same in all tokens of a Region cannot be told from others.
        self.told.needles.add("a grant token", &bytes(&token)[1..]);
        client.ok("DescribeKey", &json!({"KeyId": key, "GrantTokens": [token]}));
        let altered = format!("{}AAAA", token.as_str().expect("a text"));
        for request in [json!({"KeyId": key, "GrantTokens": [altered]}), json!({"GrantTokens": [token, 1]})] {
            let (status, answer) = client.call("DescribeKey", &request).expect("an answer");
            assert_ne!(status, 200, "{answer}");
        }
        client.ok("RetireGrant", &json!({"GrantToken": token}));
        let (status, answer) = client.call("RetireGrant", &json!({"GrantToken": token})).expect("an answer");
        assert_ne!(status, 200, "{answer}");
    }

    fn encrypt(&mut self, client: &mut Client, key: &Value) {
        let plaintext = self.dice.bytes(48);
        self.told.needles.add("a plaintext", &plaintext);
        let answer = client.ok("Encrypt", &json!({"KeyId": key, "Plaintext": base64(&plaintext)}));
        self.told.sample = (bytes(&answer["CiphertextBlob"]), plaintext);
        self.blobs.push(answer["CiphertextBlob"].clone());
    }

    fn make_data_key(&mut self, client: &mut Client, key: &Value) {
        let request = json!({"KeyId": key, "KeySpec": "AES_256"});
        let answer = client.ok("GenerateDataKey", &request);
        self.told.needles.add("a data key", &bytes(&answer["Plaintext"]));
        let sealed = client.ok("GenerateDataKeyWithoutPlaintext", &request);
        let opened = client.ok("Decrypt", &json!({"CiphertextBlob": sealed["CiphertextBlob"]}));
        self.told.needles.add("a data key", &bytes(&opened["Plaintext"]));
    }

    fn decrypt_all(&self, server: &Server) {
        let mut client = Self::client(server);
        for blob in &self.blobs {
            client.ok("Decrypt", &json!({"CiphertextBlob": blob}));
        }
    }

    /// Requests that are refused, with a plaintext in each: what is refused is more likely to be logged.
    fn provoke_errors(&mut self, server: &Server) {
        let plaintext = self.dice.bytes(48);
        self.told.needles.add("a plaintext of a refused request", &plaintext);
        let text = base64(&plaintext);
        let (mut client, key) = (Self::client(server), self.keys[0].clone());
        let disabled = self.keys[1].clone();
        client.ok("DisableKey", &json!({"KeyId": disabled}));
        for (operation, request) in [
            ("Encrypt", json!({"KeyId": disabled, "Plaintext": text})),
            ("Encrypt", json!({"KeyId": "alias/nobody", "Plaintext": text})),
            ("Encrypt", json!({"KeyId": key, "Plaintext": [text]})),
            ("Encrypt", json!({"KeyId": key, "Plaintext": text, "EncryptionAlgorithm": "NONE"})),
            ("Encrypt", json!({"KeyId": key, "Plaintext": text.repeat(200)})),
            ("Decrypt", json!({"CiphertextBlob": text})),
            ("Sign", json!({"KeyId": key, "Message": text, "SigningAlgorithm": "ECDSA_SHA_256"})),
            ("GenerateMac", json!({"KeyId": key, "Message": text, "MacAlgorithm": "HMAC_SHA_256"})),
        ] {
            let (status, answer) = client.call(operation, &request).expect("an answer");
            assert_ne!(status, 200, "{operation} {request}: {answer}");
        }
        client.ok("EnableKey", &json!({"KeyId": disabled}));
        self.provoke_strangers(server, &text);
    }

    /// The same over HTTP/2, whose library has a log of its own.
    fn encrypt_over_http2(&mut self, server: &Server) {
        let plaintext = self.dice.bytes(48);
        self.told.needles.add("a plaintext over HTTP/2", &plaintext);
        let body = json!({"KeyId": self.keys[0], "Plaintext": base64(&plaintext)}).to_string().into_bytes();
        let signed = Signer::default().headers("localhost", "Encrypt", &body);
        // `POST`, `/` and `http`, by their number in the static table; then the host by its own name there.
        let mut head = vec![0x83, 0x84, 0x86];
        for (name, value) in &signed {
            let name = if *name == "host" { ":authority" } else { name };
            head.extend(frames::header(name.as_bytes(), value.as_bytes()));
        }
        let mut stream = connect(server.kms).expect("a connection");
        let request = [
            frames::PREFACE.to_vec(),
            frames::frame(kind::SETTINGS, 0, 0, &[]),
            frames::frame(kind::HEADERS, flag::END_HEADERS, 1, &head),
            frames::frame(kind::DATA, flag::END_STREAM, 1, &body),
        ];
        stream.write_all(&request.concat()).expect("it is sent");
        let mut answer = Vec::new();
        let blob = b"CiphertextBlob";
        while !answer.windows(blob.len()).any(|window| window == blob) {
            let mut piece = [0; 1024];
            let read = stream.read(&mut piece).expect("an answer");
            assert_ne!(read, 0, "an answer: {}", answer.escape_ascii());
            answer.extend(&piece[..read]);
        }
    }

    fn provoke_strangers(&mut self, server: &Server, text: &str) {
        let body = json!({"KeyId": self.keys[0], "Plaintext": text}).to_string();
        let host = server.kms.to_string();
        let right = Signer::default().request(&host, "Encrypt", body.as_bytes());
        let wrong = Signer::new("AKIAFIRSTFIRSTFIRST0", "a-wrong-secret-of-tests-40-characters-00");
        let wrong = wrong.request(&host, "Encrypt", body.as_bytes());
        let cut = &right[..right.len() - 10];
        let no_json = Signer::default().request(&host, "Encrypt", text.as_bytes());
        for request in [&wrong, &no_json] {
            let mut stream = connect(server.kms).expect("a connection");
            stream.write_all(request).expect("it is sent");
            assert_eq!(receive(&mut stream).expect("an answer").status, 400);
        }
        let mut stream = connect(server.kms).expect("a connection");
        stream.write_all(cut).expect("it is sent");
    }

    /// The secret is shown this once, on standard output.
    fn add_access_key(&mut self, server: &Server) {
        let told =
            self.command("admin", &["--json", "access-key", "add", "--account", trent_testkit::ACCOUNT]);
        let made: Value = serde_json::from_str(&told).expect("JSON");
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        let (id, secret) = (text("id"), text("secret"));
        self.told.needles.add("the secret of a new access key", secret.as_bytes());
        Client::new(server.kms, Signer::new(&id, &secret)).ok("ListKeys", &json!({}));
    }
}
