//! Every operation on a key of every kind in every state: the tables of key states, crossed with what kinds of keys
//! there are, `data/key_kinds.json`. Each cell is answered word for word.
//!
//! `key_states` brings its keys into their states by the API. Here rows are put into the database as they are in the
//! state, so that ten thousand cells take seconds; one key of a spec is all kinds of that spec, and imported or not.
//!
//! The order of what is wrong is that of the recorded answers: origin, rotation, state, usage, algorithm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use trent_database::{DatabaseError, Transaction};
use trent_domain::alias::Alias;
use trent_domain::identifier::{AccountId, KeyId, Region};
use trent_domain::key::Key;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::time::Clock;
use trent_protocol::{KeySpec, KeyState, KeyUsage, Operation, Origin};
use trent_testkit::{ImportParameters, Subject, TestKms, base64, fresh_material, request, told};

const HERE: &str = if cfg!(feature = "sm") { "cn-north-1" } else { "eu-central-1" };
const THERE: &str = if cfg!(feature = "sm") { "cn-northwest-1" } else { "eu-west-1" };
const ELSEWHERE: &str = if cfg!(feature = "sm") { "cn-south-7" } else { "ap-south-1" };
const IMPORT: &str = "ImportKeyMaterial";

/// A table of key states.
#[derive(Deserialize)]
struct States {
    states: Vec<String>,
    answers: BTreeMap<String, Option<String>>,
    operations: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Deserialize)]
struct Kind {
    spec: String,
    usage: String,
    algorithm: String,
}

#[derive(Deserialize)]
struct Kinds {
    /// Operations that are not built.
    left_out: BTreeSet<String>,
    /// Operations that no key is named to.
    without_key: BTreeSet<String>,
    kinds: Vec<Kind>,
    usages: BTreeMap<String, String>,
    symmetric_alone: BTreeSet<String>,
    pairs_alone: BTreeSet<String>,
    rotation_before_state: BTreeSet<String>,
    rotation_after_state: BTreeSet<String>,
    made_alone: BTreeSet<String>,
    imported_alone: BTreeSet<String>,
    related_alone: BTreeSet<String>,
}

struct Table {
    kinds: Kinds,
    /// By row and state: the answer to a key of the right kind.
    cells: BTreeMap<(String, String), Option<String>>,
    /// Rows and states of keys in external key stores, which are of one kind: `key_states` goes through them.
    in_stores: BTreeSet<(String, String)>,
}

impl Table {
    fn read() -> Self {
        let kinds = serde_json::from_str(include_str!("data/key_kinds.json")).expect("the kinds");
        let (mut cells, mut in_stores) = (BTreeMap::new(), BTreeSet::new());
        let stored: States =
            serde_json::from_str(include_str!("data/key_states_in_stores.json")).expect("a table");
        for row in stored.operations.into_keys() {
            in_stores.extend(stored.states.iter().map(|state| (row.clone(), state.clone())));
        }
        for text in [include_str!("data/key_states.json"), include_str!("data/key_states_multi_region.json")]
        {
            let States { states, answers, operations } = serde_json::from_str(text).expect("a table");
            for (row, named) in operations {
                for (state, name) in states.iter().zip(named) {
                    cells.insert((row.clone(), state.clone()), answers[&name].clone());
                }
            }
        }
        Self { kinds, cells, in_stores }
    }

    fn is_imported(&self, row: &str, state: &str) -> bool {
        state == "PendingImport" || self.kinds.imported_alone.contains(row)
    }

    /// Whether the key of a cell is one of several related ones.
    fn is_related(&self, row: &str, state: &str) -> bool {
        matches!(state, "PendingReplicaDeletion" | "Creating" | "Updating")
            || self.kinds.related_alone.contains(row)
    }

    /// The answer of a cell; nothing for success.
    fn expected(&self, kind: &Kind, row: &str, state: &str, arn: &str) -> Option<String> {
        let (name, kinds) = (name_of(row), &self.kinds);
        let symmetric = kind.spec == "SYMMETRIC_DEFAULT";
        if kinds.made_alone.contains(name) && self.is_imported(row, state) {
            let text = "origin is EXTERNAL which is not valid for this operation.";
            return Some(format!("UnsupportedOperationException: {arn} {text}"));
        }
        let unsupported = || Some("UnsupportedOperationException".to_owned());
        if kinds.rotation_before_state.contains(name) && !symmetric {
            return unsupported();
        }
        if let Some(answer) = &self.cells[&(row.to_owned(), state.to_owned())] {
            // In that table a primary with a replica is brought there by the API, and so waits for the replica.
            let answer =
                if state == "PendingDeletion" { answer.replace("replica ", "") } else { answer.clone() };
            return Some(answer.replace("{key}", arn).replace("{operation}", name));
        }
        if kinds.rotation_after_state.contains(name) && !symmetric {
            return unsupported();
        }
        let usage = &kind.usage;
        if kinds.usages.get(name).is_some_and(|needed| needed != usage) {
            let text = format!("key usage is {usage} which is not valid for {name}.");
            return Some(format!("InvalidKeyUsageException: {arn} {text}"));
        }
        if kinds.symmetric_alone.contains(name) && !symmetric {
            let text = "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec";
            return Some(format!("InvalidKeyUsageException: {text} {}.", kind.spec));
        }
        let pair = !symmetric && !kind.spec.starts_with("HMAC");
        if kinds.pairs_alone.contains(name) && !pair { unsupported() } else { None }
    }
}

/// The operation of a row; `ReEncrypt, source` and `ReEncrypt, destination` are both rows of ReEncrypt.
fn name_of(row: &str) -> &str {
    row.split(", ").next().unwrap_or_default()
}

fn operation(row: &str) -> Operation {
    let name = name_of(row);
    Operation::ALL.into_iter().find(|operation| operation.name() == name).expect("an operation")
}

/// The keys of one spec as they are when nothing has happened to them: one alone, and two related ones.
struct Stock {
    kms: TestKms,
    single: Key,
    here: Key,
    there: Key,
    /// Of the single key and of the one here.
    aliases: [Alias; 2],
    /// What imports their material, by the id of the key.
    imports: BTreeMap<String, Value>,
    /// A ciphertext of a symmetric key that is always enabled.
    sealed: String,
}

impl Stock {
    async fn new(spec: &str, usage: &str) -> Self {
        let kms = TestKms::new().await.in_region(HERE);
        let material = fresh_material(spec);
        let mut imports = BTreeMap::new();
        let mut keys = Vec::new();
        for multi_region in [false, true] {
            let request = json!({
                "KeySpec": spec, "KeyUsage": usage, "Origin": "EXTERNAL", "MultiRegion": multi_region,
            });
            let key = kms.create_key_with(request).await;
            let parameters = ImportParameters::of(&kms, &key, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048").await;
            let import = parameters.request(&material);
            kms.ok(Operation::ImportKeyMaterial, import.clone()).await;
            kms.create_alias(&format!("alias/of-{key}"), &key).await;
            imports.insert(key.clone(), import);
            keys.push(key);
        }
        kms.ok(Operation::ReplicateKey, json!({"KeyId": keys[1], "ReplicaRegion": THERE})).await;
        kms.in_region(THERE).import(&keys[1], &material, json!({})).await;
        let (account, region) = (kms.caller.account, kms.region);
        let ids: Vec<KeyId> = keys.iter().map(|key| key.parse().expect("an id")).collect();
        let names: Vec<String> = keys.iter().map(|key| format!("alias/of-{key}")).collect();
        let (single, here, there, aliases) = trent_database::read(&*kms.database, move |records| {
            let key = |region, id| Ok::<_, DatabaseError>(records.key(region, id)?.expect("the key"));
            let alias =
                |name| Ok::<_, DatabaseError>(records.alias(account, region, name)?.expect("the alias"));
            let there = key(THERE.parse().expect("a Region"), ids[1])?;
            let aliases = [alias(&names[0])?, alias(&names[1])?];
            Ok((key(region, ids[0])?, key(region, ids[1])?, there, aliases))
        })
        .await
        .expect("they are there");
        let sealed = kms.encrypt(&kms.create_key().await, b"text").await;
        Self { kms, single, here, there, aliases, imports, sealed }
    }

    /// The rows with one of the keys in a state, the others enabled.
    fn rows(&self, kind: &Kind, state: &str, imported: bool, related: bool) -> Vec<Key> {
        let plain = |key: &Key| {
            let mut key = Key { usage: KeyUsage::parse(&kind.usage).expect("a usage"), ..key.clone() };
            key.lifecycle = Lifecycle::Enabled;
            if !imported {
                key.origin = Origin::AwsKms;
                key.materials.iter_mut().for_each(|material| material.imported = None);
            }
            key
        };
        let mut rows = vec![plain(&self.single), plain(&self.here), plain(&self.there)];
        let until = self.kms.clock.now().plus_days(7);
        let subject = &mut rows[usize::from(related)];
        subject.lifecycle = match state {
            "Enabled" => Lifecycle::Enabled,
            "Disabled" => Lifecycle::Disabled,
            "PendingDeletion" => Lifecycle::PendingDeletion { delete_at: until, window_days: 7 },
            "PendingReplicaDeletion" => Lifecycle::PendingReplicaDeletion { window_days: 7 },
            "PendingImport" => Lifecycle::PendingImport,
            "Creating" => Lifecycle::Creating { until },
            "Updating" => Lifecycle::Updating { until },
            other => panic!("no state {other}"),
        };
        if state == "PendingImport" {
            subject.materials.iter_mut().for_each(|material| material.sealed.clear());
        }
        if state == "Creating" {
            // Only a replica is ever made.
            for key in &mut rows[1..] {
                key.multi_region =
                    key.multi_region.take().map(|related| related.with_primary(self.there.region));
            }
        }
        rows
    }

    /// Whether the records are so already: most operations change nothing, and a write waits for the disk.
    async fn is_put(&self, rows: &[Key]) -> bool {
        let (rows, aliases) = (rows.to_vec(), self.aliases.clone());
        let same = trent_database::read(&*self.kms.database, move |records| {
            for row in &rows {
                let found = records.key(row.region, row.id)?;
                if found.is_none_or(|found| Key { version: found.version, ..row.clone() } != found) {
                    return Ok(false);
                }
            }
            for alias in &aliases {
                let Alias { account, region, name, .. } = alias;
                let free = records.alias(*account, *region, &free_alias(name.as_str()))?;
                if free.is_some() || records.alias(*account, *region, name.as_str())?.as_ref() != Some(alias)
                {
                    return Ok(false);
                }
            }
            Ok(records.key(ELSEWHERE.parse().expect("a Region"), rows[1].id)?.is_none())
        });
        same.await.expect("an answer")
    }

    /// Makes the records what these rows say, whatever has happened to them.
    async fn put(&self, rows: &[Key]) {
        if self.is_put(rows).await {
            return;
        }
        let (rows, aliases) = (rows.to_vec(), self.aliases.clone());
        trent_database::write(&*self.kms.database, "put rows", move |records| {
            put_keys(records, &rows)?;
            records.delete_key(ELSEWHERE.parse().expect("a Region"), rows[1].id)?;
            put_aliases(records, &aliases)
        })
        .await
        .expect("an answer")
        .expect("they are written");
    }
}

fn put_keys(records: &mut dyn Transaction, rows: &[Key]) -> Result<(), DatabaseError> {
    for row in rows {
        let found = records.key(row.region, row.id)?.expect("no cell deletes a key");
        let row = Key { version: found.version, ..row.clone() };
        if row != found {
            records.update_key(&row)?;
        }
    }
    Ok(())
}

fn put_aliases(records: &mut dyn Transaction, aliases: &[Alias]) -> Result<(), DatabaseError> {
    for alias in aliases {
        let Alias { account, region, name, .. } = alias;
        records.delete_alias(*account, *region, &free_alias(name.as_str()))?;
        match records.alias(*account, *region, name.as_str())? {
            Some(found) if found == *alias => {}
            Some(_) => records.update_alias(alias)?,
            None => records.insert_alias(alias)?,
        }
    }
    Ok(())
}

fn free_alias(alias: &str) -> String {
    format!("{alias}-free")
}

/// The request of a row for a key of a kind; in rows with two keys, the other one is of the same kind.
fn request_of(stock: &Stock, kind: &Kind, row: &str, subject: &Subject, other: &Subject) -> Value {
    let name = name_of(row);
    let mut asked = request(operation(row), subject);
    let algorithm = json!(kind.algorithm);
    let encrypts = kind.usage == "ENCRYPT_DECRYPT";
    match name {
        "Sign" | "Verify" if kind.usage == "SIGN_VERIFY" => asked["SigningAlgorithm"] = algorithm,
        "GenerateMac" | "VerifyMac" if kind.usage == "GENERATE_VERIFY_MAC" => {
            asked["MacAlgorithm"] = algorithm
        }
        "Encrypt" if encrypts => asked["EncryptionAlgorithm"] = algorithm,
        "Decrypt" => {
            asked["KeyId"] = json!(subject.key);
            asked["EncryptionAlgorithm"] = if encrypts { algorithm } else { json!("SYMMETRIC_DEFAULT") };
        }
        "ReEncrypt" if row.ends_with("source") => {
            asked = json!({
                "CiphertextBlob": subject.blob, "SourceKeyId": subject.key, "DestinationKeyId": other.key,
            });
        }
        "ReEncrypt" if encrypts => {
            asked = json!({
                "CiphertextBlob": other.blob, "SourceKeyId": other.key, "DestinationKeyId": subject.key,
            });
        }
        // The source is looked at first, and a key of this kind is none.
        "ReEncrypt" => asked = json!({"CiphertextBlob": stock.sealed, "DestinationKeyId": subject.key}),
        "UpdateAlias" if row.ends_with("current target") => asked["TargetKeyId"] = json!(other.key),
        "UpdateAlias" => asked["AliasName"] = json!(other.alias),
        "ListAliases" => asked["KeyId"] = json!(subject.key),
        "GetParametersForImport" => asked["WrappingAlgorithm"] = json!("RSA_AES_KEY_WRAP_SHA_256"),
        // What every kind can have a grant for.
        "CreateGrant" => asked["Operations"] = json!(["DescribeKey"]),
        "ReplicateKey" => asked["ReplicaRegion"] = json!(ELSEWHERE),
        "UpdatePrimaryRegion" => asked["PrimaryRegion"] = json!(THERE),
        IMPORT => asked = stock.imports[&subject.key].clone(),
        _ => {}
    }
    if name == "ReEncrypt" && encrypts {
        asked["SourceEncryptionAlgorithm"] = json!(kind.algorithm);
        asked["DestinationEncryptionAlgorithm"] = json!(kind.algorithm);
    }
    asked
}

/// What requests carry of a key of this kind, which is enabled.
async fn subject_of(stock: &Stock, kind: &Kind, key: &str) -> Subject {
    let alias = format!("alias/of-{key}");
    let mut subject = Subject {
        key: key.to_owned(),
        blob: base64(b"nothing"),
        free_alias: free_alias(&alias),
        alias,
        grant: String::new(),
    };
    let (maker, member) = match kind.usage.as_str() {
        "ENCRYPT_DECRYPT" => ("Encrypt", "CiphertextBlob"),
        "SIGN_VERIFY" => ("Sign", "Signature"),
        "GENERATE_VERIFY_MAC" => ("GenerateMac", "Mac"),
        "KEY_AGREEMENT" => ("GetPublicKey", "PublicKey"),
        _ => ("Encapsulate", "SharedSecretCiphertextBlob"),
    };
    let asked = request_of(stock, kind, maker, &subject, &subject);
    let made = stock.kms.ok(operation(maker), asked).await;
    made[member].as_str().expect("what the key makes").clone_into(&mut subject.blob);
    subject
}

/// All cells of one spec; how many there were, and a line for each that is answered otherwise.
async fn check_spec(table: Arc<Table>, kinds: Vec<Kind>) -> (usize, Vec<String>) {
    let stock = Stock::new(&kinds[0].spec, &kinds[0].usage).await;
    let kms = &stock.kms;
    let (mut count, mut wrong) = (0, Vec::new());
    for kind in &kinds {
        stock.put(&stock.rows(kind, "Enabled", false, false)).await;
        let single = subject_of(&stock, kind, &stock.single.id.to_string()).await;
        let here = subject_of(&stock, kind, &stock.here.id.to_string()).await;
        let mut cells: Vec<_> = table.cells.keys().collect();
        cells.retain(|(row, _)| !table.kinds.left_out.contains(row));
        // One after the other in the same state, so that few rows have to be put.
        cells
            .sort_by_key(|(row, state)| (state, table.is_imported(row, state), table.is_related(row, state)));
        for (row, state) in cells {
            let (imported, related) = (table.is_imported(row, state), table.is_related(row, state));
            let (subject, other) = if related { (&here, &single) } else { (&single, &here) };
            let mut asked = request_of(&stock, kind, row, subject, other);
            let rows = stock.rows(kind, state, imported, related);
            stock.put(&rows).await;
            if ["RetireGrant", "RevokeGrant"].contains(&name_of(row)) {
                asked["GrantId"] = json!(kms.insert_grant(&subject.key).await);
            }
            let expected =
                table.expected(kind, row, state, &arn(kms.caller.account, kms.region, &subject.key));
            let answered = kms.call(operation(row), asked).await.err().as_ref().map(told);
            count += 1;
            if answered != expected {
                let Kind { spec, usage, .. } = kind;
                wrong.push(format!(
                    "{row} on {spec} for {usage}, {state}: expected {expected:?}, answered {answered:?}"
                ));
            }
        }
    }
    (count, wrong)
}

fn arn(account: AccountId, region: Region, key: &str) -> String {
    format!("arn:{}:kms:{region}:{account}:key/{key}", region.partition())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_operation_on_every_kind_of_key_in_every_state_is_answered_as_the_tables_say() {
    let table = Arc::new(Table::read());
    let mut specs = BTreeMap::<String, Vec<Kind>>::new();
    for kind in &table.kinds.kinds {
        specs.entry(kind.spec.clone()).or_default().push(kind.clone());
    }
    // In builds without it, keys of this spec do not exist.
    if cfg!(not(feature = "sm")) {
        specs.remove("SM2");
    }
    let mut running = JoinSet::new();
    for kinds in specs.into_values() {
        running.spawn(check_spec(Arc::clone(&table), kinds));
    }
    let (mut count, mut wrong) = (0, Vec::new());
    for (cells, lines) in running.join_all().await {
        count += cells;
        wrong.extend(lines);
    }
    println!("{count} cells");
    let some = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {count}:\n{some}", wrong.len());
    assert!(count > 7_000, "{count}");
}

#[test]
fn the_kinds_are_all_that_there_are() {
    let kinds = Table::read().kinds;
    let specs: BTreeSet<_> = kinds.kinds.iter().map(|kind| kind.spec.as_str()).collect();
    assert_eq!(specs, KeySpec::ALL.into_iter().map(KeySpec::as_str).collect());
    let usages: BTreeSet<_> = kinds.kinds.iter().map(|kind| kind.usage.as_str()).collect();
    assert_eq!(usages, KeyUsage::ALL.into_iter().map(KeyUsage::as_str).collect());
}

#[test]
fn what_is_left_out_is_not_built_and_all_else_has_a_cell_in_every_state() {
    let Table { kinds, cells, in_stores } = Table::read();
    let not_built = |answer: &Option<String>| {
        answer.as_ref().is_some_and(|answer| answer.contains("is not supported by this version of trent"))
    };
    for operation in Operation::ALL {
        let own: Vec<_> = cells.iter().filter(|((row, _), _)| name_of(row) == operation.name()).collect();
        let left_out = kinds.left_out.contains(operation.name());
        assert_eq!(own.iter().all(|(_, answer)| not_built(answer)), left_out, "{operation}");
        let takes_no_key = kinds.without_key.contains(operation.name());
        for state in KeyState::ALL {
            let stored =
                in_stores.iter().any(|(row, of)| name_of(row) == operation.name() && of == state.as_str());
            let has_cell = stored || own.iter().any(|((_, of), _)| of == state.as_str());
            assert!(has_cell || left_out || takes_no_key, "{operation} on {state}");
        }
    }
}
