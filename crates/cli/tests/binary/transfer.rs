//! Keys that move from one deployment to another.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use trent_testkit::{ACCOUNT, Client, ImportParameters, REGION, Signer, base64};

use crate::support::{Server, finish, misused, records, serve, trent};

const OTHER_REGION: &str = "us-west-2";
const HELLO: &str = "aGVsbG8=";
const MATERIAL: [u8; 32] = [0x5a; 32];
const LOST_MATERIAL: [u8; 32] = [0xa5; 32];

/// Two deployments and the files between them.
struct Move {
    dir: TempDir,
    from: PathBuf,
    to: PathBuf,
    public: PathBuf,
    file: PathBuf,
}

impl Move {
    /// Starts both deployments; the one to move to is stopped again, and has a recipient.
    fn start() -> (Self, Server) {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        let (from, to, public, file) = (place("from"), place("to"), place("to.pub"), place("keys"));
        let source = Server::start(&mut serve(&from));
        assert_eq!(Server::start(&mut serve(&to)).stop(), 0);
        let it = Self { dir, from, to, public, file };
        let told = it.new_recipient(&it.to, &it.public);
        assert!(told.contains("Wrote recipient "), "{told}");
        (it, source)
    }

    fn new_recipient(&self, data: &Path, public: &Path) -> String {
        done(trent(&["import", "--new-recipient"]).arg(public).arg("--data-dir").arg(data))
    }

    fn export(&self, what: &[&str]) -> (i32, String, String) {
        let mut command = trent(&["export", "--to"]);
        command.arg(&self.public).arg("--out").arg(&self.file).arg("--data-dir").arg(&self.from);
        finish(command.args(what))
    }

    fn import(&self, flags: &[&str]) -> (i32, String, String) {
        finish(trent(&["import"]).arg(&self.file).arg("--data-dir").arg(&self.to).args(flags))
    }

    /// The ids of the keys that are there after all, in one Region.
    fn arrived(&self) -> Vec<Value> {
        let server = Server::start(&mut serve(&self.to));
        let keys = ok(&server, REGION, "ListKeys", &json!({}))["Keys"].as_array().unwrap().clone();
        assert_eq!(server.stop(), 0);
        keys
    }
}

/// The members of the records of a command, in a deployment that is stopped.
fn recorded(data: &Path, command: &str) -> Vec<Value> {
    records(data, command).into_iter().map(|mut record| record["requestParameters"].take()).collect()
}

#[track_caller]
fn done(command: &mut std::process::Command) -> String {
    let (code, told, stderr) = finish(command);
    assert_eq!(code, 0, "{stderr}");
    told
}

#[track_caller]
fn ok(server: &Server, region: &str, operation: &str, body: &Value) -> Value {
    let signer = Signer { region: region.to_owned(), ..Signer::default() };
    Client::new(server.kms, signer).ok(operation, body)
}

#[track_caller]
fn make(server: &Server, body: &Value) -> String {
    ok(server, REGION, "CreateKey", body)["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

#[track_caller]
fn import_material(server: &Server, key: &str, material: &[u8]) {
    let (algorithm, spec) = ("RSAES_OAEP_SHA_256", "RSA_2048");
    let asked = json!({"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec});
    let answer = ok(server, REGION, "GetParametersForImport", &asked);
    let request = ImportParameters::read(key, algorithm, spec, &answer).request(material);
    ok(server, REGION, "ImportKeyMaterial", &request);
}

/// Something that a key made, and how the deployment that has the key now is asked about it.
struct Made {
    region: &'static str,
    operation: &'static str,
    request: Value,
    member: &'static str,
    expected: Value,
}

impl Made {
    #[track_caller]
    fn check(&self, server: &Server) {
        let answer = ok(server, self.region, self.operation, &self.request);
        assert_eq!(answer[self.member], self.expected, "{} {}", self.operation, self.request);
    }
}

fn encrypted(server: &Server, region: &'static str, key: &str) -> Made {
    let request = json!({"KeyId": key, "Plaintext": HELLO, "EncryptionContext": {"a": "b"}});
    let blob = ok(server, region, "Encrypt", &request)["CiphertextBlob"].clone();
    let request = json!({"CiphertextBlob": blob, "EncryptionContext": {"a": "b"}});
    Made { region, operation: "Decrypt", request, member: "Plaintext", expected: json!(HELLO) }
}

fn signed(server: &Server, key: &str, algorithm: &str) -> Made {
    let mut request = json!({"KeyId": key, "Message": HELLO, "SigningAlgorithm": algorithm});
    request["Signature"] = ok(server, REGION, "Sign", &request)["Signature"].clone();
    Made { region: REGION, operation: "Verify", request, member: "SignatureValid", expected: json!(true) }
}

fn authenticated(server: &Server, key: &str) -> Made {
    let request = json!({"KeyId": key, "Message": HELLO, "MacAlgorithm": "HMAC_SHA_256"});
    let expected = ok(server, REGION, "GenerateMac", &request)["Mac"].clone();
    Made { region: REGION, operation: "GenerateMac", request, member: "Mac", expected }
}

/// Keys of all kinds in all states; gives what they made.
fn fill(server: &Server) -> Vec<Made> {
    let here = |operation: &str, body: &Value| ok(server, REGION, operation, body);
    let rotated =
        make(server, &json!({"Description": "rotated", "Tags": [{"TagKey": "a", "TagValue": "b"}]}));
    let mut made = vec![encrypted(server, REGION, &rotated)];
    here("RotateKeyOnDemand", &json!({"KeyId": rotated}));
    made.push(encrypted(server, REGION, &rotated));
    here("EnableKeyRotation", &json!({"KeyId": rotated, "RotationPeriodInDays": 100}));
    here("CreateAlias", &json!({"AliasName": "alias/moved", "TargetKeyId": rotated}));
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let statement =
        json!({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Id": "moved", "Statement": [statement]}).to_string();
    here("PutKeyPolicy", &json!({"KeyId": rotated, "Policy": policy}));
    let grant =
        json!({"KeyId": rotated, "GranteePrincipal": root, "Operations": ["Decrypt"], "Name": "moved"});
    here("CreateGrant", &grant);

    let mac = make(server, &json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}));
    made.push(authenticated(server, &mac));
    for (spec, algorithm) in [
        ("RSA_2048", "RSASSA_PSS_SHA_256"),
        ("ECC_NIST_P256", "ECDSA_SHA_256"),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
        ("ML_DSA_44", "ML_DSA_SHAKE_256"),
    ] {
        let key = make(server, &json!({"KeySpec": spec, "KeyUsage": "SIGN_VERIFY"}));
        made.push(signed(server, &key, algorithm));
    }

    let related = make(server, &json!({"MultiRegion": true}));
    here("ReplicateKey", &json!({"KeyId": related, "ReplicaRegion": OTHER_REGION}));
    made.push(encrypted(server, REGION, &related));
    made.push(encrypted(server, OTHER_REGION, &related));

    let imported = make(server, &json!({"Origin": "EXTERNAL"}));
    import_material(server, &imported, &MATERIAL);
    made.push(encrypted(server, REGION, &imported));
    let lost = make(server, &json!({"Origin": "EXTERNAL", "Description": "lost"}));
    import_material(server, &lost, &LOST_MATERIAL);
    here("DeleteImportedKeyMaterial", &json!({"KeyId": lost}));

    let disabled = make(server, &json!({}));
    here("DisableKey", &json!({"KeyId": disabled}));
    let doomed = make(server, &json!({}));
    here("ScheduleKeyDeletion", &json!({"KeyId": doomed, "PendingWindowInDays": 7}));
    made
}

/// All that a deployment says of its keys.
fn told_of_all(server: &Server) -> Vec<Value> {
    let mut told = Vec::new();
    for region in [REGION, OTHER_REGION] {
        let ask = |operation: &str, body: &Value| ok(server, region, operation, body);
        told.push(ask("ListAliases", &json!({})));
        let keys = ask("ListKeys", &json!({}))["Keys"].as_array().unwrap().clone();
        for key in keys {
            let named = json!({"KeyId": key["KeyId"]});
            let described = ask("DescribeKey", &named);
            if described["KeyMetadata"]["KeySpec"] == "SYMMETRIC_DEFAULT" {
                let all = json!({"KeyId": key["KeyId"], "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
                told.push(ask("ListKeyRotations", &all));
                told.push(ask("GetKeyRotationStatus", &named));
            }
            told.push(described);
            told.extend(["GetKeyPolicy", "ListResourceTags", "ListGrants"].map(|asked| ask(asked, &named)));
        }
    }
    told
}

#[test]
fn a_deployment_moves_with_all_its_keys() {
    let (it, source) = Move::start();
    let made = fill(&source);
    let before = told_of_all(&source);
    let refused = it.export(&["--all"]);
    assert!(refused.0 == 2 && refused.2.contains("is in use by another trent"), "{refused:?}");
    assert_eq!(source.stop(), 0);
    let (code, told, stderr) = it.export(&["--all"]);
    assert!(code == 0 && told.contains("Wrote 12 keys"), "{told}{stderr}");

    let (code, told, stderr) = it.import(&["--dry-run"]);
    assert!(code == 0 && told.contains("Would import 12 keys, 1 aliases and 1 grants."), "{told}{stderr}");
    assert!(it.arrived().is_empty());
    assert!(recorded(&it.to, "ImportKeys").is_empty());
    let (code, told, stderr) = it.import(&[]);
    assert_eq!((code, told.as_str()), (0, "Imported 12 keys, 1 aliases and 1 grants.\n"), "{stderr}");
    // Both trails tell which keys they are, and the one who sent them for whom.
    let (left, came) = (recorded(&it.from, "ExportKeys"), recorded(&it.to, "ImportKeys"));
    let ([left], [came]) = (left.as_slice(), came.as_slice()) else { panic!("{left:?} {came:?}") };
    assert_eq!(left["keyIds"].as_array().unwrap().len(), 12);
    assert_eq!(left["keyIds"], came["keyIds"]);
    let sha256 = trent_audit::hex(&trent_audit::hash(&fs::read(&it.file).unwrap()));
    let intended = json!({"recipient": left["recipient"], "sha256": sha256});
    assert_eq!(recorded(&it.to, "BeginImportKeys"), [intended]);
    assert_eq!(recorded(&it.to, "NewTransferRecipient"), [json!({"recipient": left["recipient"]})]);

    let target = Server::start(&mut serve(&it.to));
    assert_eq!(told_of_all(&target), before);
    made.iter().for_each(|made| made.check(&target));
    // Material ids are made as where the keys come from, or this would count as other material.
    let keys = ok(&target, REGION, "ListKeys", &json!({}))["Keys"].as_array().unwrap().clone();
    let is_lost = |key: &&Value| {
        ok(&target, REGION, "DescribeKey", &json!({"KeyId": key["KeyId"]}))["KeyMetadata"]["Description"]
            == "lost"
    };
    let lost = keys.iter().find(is_lost).unwrap()["KeyId"].as_str().unwrap();
    import_material(&target, lost, &LOST_MATERIAL);
    encrypted(&target, REGION, lost).check(&target);
    // The domain keys that the import made are in use for what comes after it.
    let fresh = ok(&target, OTHER_REGION, "CreateKey", &json!({}))["KeyMetadata"]["KeyId"].clone();
    let fresh = encrypted(&target, OTHER_REGION, fresh.as_str().unwrap());
    assert_eq!(target.stop(), 0);
    let target = Server::start(&mut serve(&it.to));
    made.iter().chain([&fresh]).for_each(|made| made.check(&target));
}

#[test]
fn a_trail_elsewhere_is_not_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    let (data, trail, config) = (place("data"), place("trail"), place("trent.toml"));
    let import = |public: &str| {
        let mut command = trent(&["import", "--new-recipient"]);
        command.arg(place(public)).arg("--data-dir").arg(&data);
        command
    };
    let configured = |section: &str| fs::write(&config, format!("[audit]\n{section}\n")).unwrap();
    configured("mode = \"off\"");
    assert_eq!(Server::start(serve(&data).arg("--config").arg(&config)).stop(), 0);
    done(&mut import("off.pub"));
    assert!(!data.join("audit").exists());

    configured(&format!("dir = '{}'", trail.display()));
    assert_eq!(Server::start(serve(&data).arg("--config").arg(&config)).stop(), 0);
    let (code, _, stderr) = finish(&mut import("refused.pub"));
    assert!(code == 1 && stderr.contains("give the --config of `trent serve`"), "{stderr}");
    assert!(!data.join("audit").exists() && !place("refused.pub").exists());
    // Buffered, but what the command does is on disk when it ends.
    configured(&format!("mode = \"buffered\"\ndir = '{}'", trail.display()));
    done(import("done.pub").arg("--config").arg(&config));
    let verified =
        |flag: &Path| done(trent(&["audit", "verify", "--config"]).arg(flag).arg("--data-dir").arg(&data));
    assert!(!verified(&config).is_empty());
}

#[test]
fn what_is_there_already_refuses_the_whole_import() {
    let (it, source) = Move::start();
    let (first, second) = (make(&source, &json!({})), make(&source, &json!({})));
    let external = make(&source, &json!({"Origin": "EXTERNAL"}));
    ok(&source, REGION, "CreateAlias", &json!({"AliasName": "alias/taken", "TargetKeyId": second}));
    assert_eq!(source.stop(), 0);
    assert_eq!(it.export(&["--key", &first, "--key", &external]).0, 0);
    let (code, told, stderr) = it.import(&[]);
    assert!(
        code == 0 && told.contains("Ids of imported material are made here with another key"),
        "{stderr}"
    );
    let target = Server::start(&mut serve(&it.to));
    ok(&target, REGION, "CreateAlias", &json!({"AliasName": "alias/taken", "TargetKeyId": first}));
    assert_eq!(target.stop(), 0);
    let before = it.arrived();

    fs::remove_file(&it.file).unwrap();
    assert_eq!(it.export(&["--all"]).0, 0);
    for flags in [&["--dry-run"] as &[&str], &[]] {
        let (code, told, stderr) = it.import(flags);
        assert_eq!((code, stderr.trim_end().lines().count()), (1, 1), "{stderr}");
        assert!(
            stderr.contains("nothing was imported: 3 of the keys and aliases are there already"),
            "{stderr}"
        );
        assert!(told.contains(&format!("key/{first}\n")) && told.contains(":alias/taken of key "), "{told}");
        assert_eq!(it.arrived(), before);
    }
}

#[test]
fn a_file_for_somebody_else_or_a_damaged_one_changes_nothing() {
    let (it, source) = Move::start();
    make(&source, &json!({}));
    assert_eq!(source.stop(), 0);
    // Sealed for the deployment that it comes from.
    let own = it.dir.path().join("from.pub");
    it.new_recipient(&it.from, &own);
    done(
        trent(&["export", "--all", "--to"])
            .arg(&own)
            .arg("--out")
            .arg(&it.file)
            .arg("--data-dir")
            .arg(&it.from),
    );
    let refused = |expected: &str| {
        let (code, told, stderr) = it.import(&[]);
        assert_eq!((code, told.as_str(), stderr.trim_end().lines().count()), (1, "", 1), "{stderr}");
        assert!(stderr.contains("nothing was imported: ") && stderr.contains(expected), "{stderr}");
    };
    refused("this transfer was sealed for another recipient");
    fs::remove_file(&it.file).unwrap();
    assert_eq!(it.export(&["--all"]).0, 0);
    let whole = fs::read(&it.file).unwrap();
    // Every byte and every cut is tried in the crate that reads them; here one of each part of the file.
    for (at, expected) in [
        (0, "this is no transfer"),
        (14, "of version 0"),
        (15, "another recipient"),
        (31, "is damaged"),
        (151, "is damaged"),
        (1239, "is damaged"),
        (whole.len() - 1, "is damaged"),
    ] {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        fs::write(&it.file, altered).unwrap();
        refused(expected);
        fs::write(&it.file, &whole[..at]).unwrap();
        refused("");
    }
    assert!(it.arrived().is_empty());
    fs::write(&it.file, whole).unwrap();
    assert_eq!(it.import(&[]).0, 0);
    assert_eq!(it.arrived().len(), 1);
}

#[test]
fn keys_that_are_named_move_with_those_related_to_them() {
    let (it, source) = Move::start();
    let (related, single) = (make(&source, &json!({"MultiRegion": true})), make(&source, &json!({})));
    ok(&source, REGION, "ReplicateKey", &json!({"KeyId": related, "ReplicaRegion": OTHER_REGION}));
    let made = encrypted(&source, OTHER_REGION, &related);
    assert_eq!(source.stop(), 0);
    let arn = |region: &str, key: &str| format!("arn:aws:kms:{region}:{ACCOUNT}:key/{key}");
    for unknown in [arn(OTHER_REGION, &single), "0198c5a4-7a3e-7000-8000-000000000001".to_owned()] {
        let (code, _, stderr) = it.export(&["--key", &unknown]);
        assert!(
            code == 2 && stderr.contains(&format!("there is no key {unknown}; nothing was written")),
            "{stderr}"
        );
    }
    let (code, _, stderr) = it.export(&["--key", "alias/a"]);
    assert!(code == 2 && stderr.contains("neither a key id nor the ARN of a key"), "{stderr}");
    let (code, told, stderr) = it.export(&["--key", &arn(OTHER_REGION, &related)]);
    assert!(code == 0 && told.contains("Wrote 2 keys"), "{told}{stderr}");
    let (code, _, stderr) = it.export(&["--all"]);
    assert!(code == 2 && stderr.contains("is there already"), "{stderr}");

    // The account of the keys is not there: it is made.
    let elsewhere = it.dir.path().join("elsewhere");
    let mut first_start =
        trent(&["serve", "--listen", "127.0.0.1:0", "--account-id", "444455556666", "--data-dir"]);
    assert_eq!(Server::start(first_start.arg(&elsewhere)).stop(), 0);
    let public = it.dir.path().join("elsewhere.pub");
    it.new_recipient(&elsewhere, &public);
    let file = it.dir.path().join("again");
    let mut command = trent(&["export", "--key", &related, "--to"]);
    done(command.arg(&public).arg("--out").arg(&file).arg("--data-dir").arg(&it.from));
    let told = done(trent(&["import"]).arg(&file).arg("--data-dir").arg(&elsewhere));
    assert!(told.contains(&format!("Account {ACCOUNT} was made; there is nobody in it yet.")), "{told}");

    assert_eq!(it.import(&[]).0, 0);
    made.check(&Server::start(&mut serve(&it.to)));
}

#[test]
fn where_there_is_no_deployment_nothing_moves() {
    let dir = tempfile::tempdir().unwrap();
    let public = dir.path().join("public");
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    let told = misused(trent(&["import", "--new-recipient"]).arg(&public).arg("--data-dir").arg(&data));
    assert!(told.contains("has no deployment yet"), "{told}");
    fs::write(&public, base64(b"no recipient")).unwrap();
    let mut command = trent(&["export", "--all", "--out", "/not/there", "--to"]);
    let (code, _, stderr) = finish(command.arg(&public).arg("--data-dir").arg(&data));
    assert!(code == 1 && stderr.contains("this is no file of a recipient"), "{stderr}");
}
