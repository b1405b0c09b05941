//! Keys whose waiting period is over, under kills: each goes whole, with what belongs to it, and stays gone.
//!
//! Nobody waits for seven days: while no server runs, the dates in the database are moved.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trent_database::{DatabaseError, Embedded};
use trent_domain::lifecycle::Lifecycle;
use trent_domain::time::Timestamp;
use trent_testkit::{ACCOUNT, Client, Dice, REGION, Signer, Starting, serve};

use crate::caller::{Stop, ask};

const DYING: usize = 240;
const LIVING: usize = 12;
/// Pairs of related keys, which both are to go: the replica first, and then the primary's period begins.
const RELATED: usize = 12;
const REPLICA_REGION: &str = "us-west-2";
const KILLS: usize = 14;
/// A job may have to wait for its turn: it runs each second.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the test made: ids, and a ciphertext of each key that lives.
#[derive(Default)]
struct Made {
    dying: Vec<String>,
    living: Vec<(String, String)>,
    related: Vec<String>,
}

fn clients(server: &trent_testkit::Server) -> (Client, Client) {
    let there = Signer { region: REPLICA_REGION.to_owned(), ..Signer::default() };
    (Client::new(server.kms, Signer::default()), Client::new(server.kms, there))
}

fn start(binary: &Path, data: &Path) -> Result<trent_testkit::Server, String> {
    Starting::new(serve(binary, data).env("TRENT_JOBS__INTERVAL_SECONDS", "1")).ready()
}

fn create(client: &mut Client, more: &Value) -> Result<String, Stop> {
    let key = ask(client, "CreateKey", more)?["KeyMetadata"]["KeyId"].as_str().unwrap_or_default().to_owned();
    ask(client, "CreateAlias", &json!({"AliasName": format!("alias/{key}"), "TargetKeyId": key}))?;
    Ok(key)
}

fn make(client: &mut Client, there: &mut Client) -> Result<Made, Stop> {
    let mut made = Made::default();
    let window = |key: &str| json!({"KeyId": key, "PendingWindowInDays": 7});
    for _ in 0..DYING {
        let key = create(client, &json!({"Tags": [{"TagKey": "a", "TagValue": "b"}]}))?;
        ask(client, "ScheduleKeyDeletion", &window(&key))?;
        made.dying.push(key);
    }
    for _ in 0..LIVING {
        let key = create(client, &json!({}))?;
        let sealed = ask(client, "Encrypt", &json!({"KeyId": key, "Plaintext": "dGV4dA=="}))?;
        made.living.push((key, sealed["CiphertextBlob"].as_str().unwrap_or_default().to_owned()));
    }
    for _ in 0..RELATED {
        let key = create(client, &json!({"MultiRegion": true}))?;
        ask(client, "ReplicateKey", &json!({"KeyId": key, "ReplicaRegion": REPLICA_REGION}))?;
        ask(client, "ScheduleKeyDeletion", &window(&key))?;
        ask(there, "ScheduleKeyDeletion", &window(&key))?;
        made.related.push(key);
    }
    Ok(made)
}

/// Ends the waiting period of all keys that have one.
fn end_waiting(data: &Path, made: &Made) {
    let ids: Vec<_> = made.dying.iter().chain(&made.related).map(|id| id.parse().expect("an id")).collect();
    let regions = [REGION, REPLICA_REGION].map(|region| region.parse().expect("a Region"));
    let database = Embedded::open(data).expect("nobody else has it");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let moved = trent_database::write(&database, "end waiting", move |records| {
        for region in regions {
            for id in &ids {
                let Some(mut key) = records.key(region, *id)? else { continue };
                if let Lifecycle::PendingDeletion { delete_at, .. } = &mut key.lifecycle {
                    *delete_at = Timestamp::from_millis(0);
                    records.update_key(&key)?;
                }
            }
        }
        Ok::<_, DatabaseError>(())
    });
    runtime.block_on(moved).expect("an answer").expect("it is written");
}

/// What DescribeKey says of a key; nothing of one that is gone.
fn metadata(client: &mut Client, key: &str) -> Result<Option<Value>, String> {
    let answer = client.call("DescribeKey", &json!({"KeyId": key})).map_err(|error| error.to_string())?;
    match answer {
        (200, mut answer) => Ok(Some(answer["KeyMetadata"].take())),
        (400, answer) if answer["__type"] == "NotFoundException" => Ok(None),
        (status, answer) => Err(format!("{key}: {status} {answer}")),
    }
}

/// The ids of keys that have an alias.
fn aliases(client: &mut Client) -> Result<BTreeSet<String>, String> {
    let (mut targets, mut asked) = (BTreeSet::new(), json!({"Limit": 100}));
    loop {
        let mut page = ask(client, "ListAliases", &asked)?;
        let listed = page["Aliases"].as_array().cloned().unwrap_or_default();
        targets.extend(listed.iter().filter_map(|alias| alias["TargetKeyId"].as_str().map(str::to_owned)));
        if page["Truncated"] != true {
            return Ok(targets);
        }
        asked["Marker"] = page["NextMarker"].take();
    }
}

/// Compares what is left with what was found before, while the server goes on deleting; gives how many are gone.
fn look(
    (client, there): (&mut Client, &mut Client),
    made: &Made,
    gone: &mut BTreeSet<String>,
) -> Result<usize, String> {
    let named_before = aliases(client)?;
    for key in &made.dying {
        match metadata(client, key)? {
            Some(_) if gone.contains(key) => return Err(format!("{key} has come back")),
            Some(_) if !named_before.contains(key) => {
                return Err(format!("{key} is there without its alias"));
            }
            Some(_) => {}
            None => drop(gone.insert(key.clone())),
        }
    }
    for (key, blob) in &made.living {
        ask(client, "Decrypt", &json!({"KeyId": key, "CiphertextBlob": blob}))?;
    }
    for key in &made.related {
        look_at_related((client, there), key, gone)?;
    }
    match gone.intersection(&aliases(client)?).next() {
        Some(key) => Err(format!("{key} is gone and has an alias")),
        None => Ok(gone.len()),
    }
}

/// A primary knows of its replica for as long as there is one, waits for it, and goes after it.
fn look_at_related(
    (client, there): (&mut Client, &mut Client),
    key: &str,
    gone: &mut BTreeSet<String>,
) -> Result<(), String> {
    let before = metadata(there, key)?.is_some();
    let primary = metadata(client, key)?;
    let after = metadata(there, key)?.is_some();
    let Some(primary) = primary else {
        gone.insert(key.to_owned());
        return if after { Err(format!("{key} is gone before its replica")) } else { Ok(()) };
    };
    let replicas = primary["MultiRegionConfiguration"]["ReplicaKeys"].as_array().map_or(0, Vec::len);
    let waits = primary["KeyState"] == "PendingReplicaDeletion";
    // It may have gone in between.
    let agrees = before != after || ((replicas == 1) == after && waits == after);
    if agrees && !gone.contains(key) {
        Ok(())
    } else {
        Err(format!("{key}, with a replica before: {before}, after: {after}: {primary}"))
    }
}

/// Gives how many kills found some keys gone and others not.
pub(crate) fn kill_while_keys_are_deleted(binary: &Path, dice: &mut Dice) -> Result<usize, String> {
    let folder = tempfile::tempdir().expect("a folder for the data");
    let data = folder.path().join("data");
    let server = start(binary, &data)?;
    let (mut client, mut there) = clients(&server);
    let made = make(&mut client, &mut there)?;
    if server.stop() != 0 {
        return Err("it does not stop in good order".to_owned());
    }
    end_waiting(&data, &made);
    let (mut gone, mut amid) = (BTreeSet::new(), 0);
    for _ in 0..KILLS {
        let server = start(binary, &data)?;
        std::thread::sleep(Duration::from_millis(dice.within(0..120)));
        server.kill();
        // Whatever it was at: another process goes on, and is looked at while it does.
        let server = start(binary, &data)?;
        let (mut client, mut there) = clients(&server);
        let count = look((&mut client, &mut there), &made, &mut gone)?;
        amid += usize::from(count > 0 && count < DYING);
        server.kill();
        // Primaries whose replicas have gone wait from now on.
        end_waiting(&data, &made);
    }
    let (server, begun) = (start(binary, &data)?, Instant::now());
    let (mut client, mut there) = clients(&server);
    look((&mut client, &mut there), &made, &mut gone)?;
    while !made.dying.iter().all(|key| gone.contains(key)) {
        if begun.elapsed() > PATIENCE {
            return Err(format!("{} of {DYING} are gone: {}", gone.len(), server.log()));
        }
        std::thread::sleep(Duration::from_millis(200));
        look((&mut client, &mut there), &made, &mut gone)?;
    }
    let keys = ask(&mut client, "ListKeys", &json!({"Limit": 1000}))?;
    let left = keys["Keys"].as_array().map_or(0, Vec::len);
    let related = made.related.iter().filter(|key| !gone.contains(*key)).count();
    if left != LIVING + related {
        return Err(format!("{left} keys are left, not {LIVING} and {related} of account {ACCOUNT}"));
    }
    Ok(amid)
}
