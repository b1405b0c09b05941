//! The first start, killed: whatever it had done, the next one completes or does again, and the access key in the
//! credentials file is one that works.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trent_testkit::{Client, Dice, Server, Signer, Starting, command, finish, serve_at_random};

/// Kills first starts at random moments of them.
pub(crate) fn kill_first_starts(binary: &Path, kills: usize, dice: &mut Dice) -> Result<(), String> {
    let length = length_of_a_start(binary);
    let mut killed = 0;
    while killed < kills {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        // Where the second is killed as well, it found what the first had left.
        for _ in 0..=dice.below(3) {
            let starting = Starting::new(&mut serve_at_random(binary, folder.path()));
            let moment = dice.within(0..u64::try_from(length.as_micros()).unwrap_or(u64::MAX));
            thread::sleep(Duration::from_micros(moment));
            starting.kill();
            killed += 1;
        }
        if let Err(problem) = is_complete(binary, folder.path()) {
            let kept = folder.keep();
            return Err(format!("{problem}\nthe data are kept in {}", kept.display()));
        }
    }
    Ok(())
}

fn length_of_a_start(binary: &Path) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    let server = Server::start(&mut serve_at_random(binary, folder.path()));
    let length = begun.elapsed();
    server.kill();
    length
}

/// Starts, and uses what the credentials file says.
fn is_complete(binary: &Path, data: &Path) -> Result<(), String> {
    let server = Starting::new(&mut serve_at_random(binary, data)).ready()?;
    let credentials = fs::read_to_string(data.join("aws-credentials")).map_err(|error| error.to_string())?;
    let value = |name: &str| {
        let line = credentials.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        line.ok_or_else(|| format!("no {name} in {credentials}"))
    };
    let signer = Signer::new(value("aws_access_key_id")?, value("aws_secret_access_key")?);
    let mut client = Client::new(server.kms, signer);
    let (status, answer) = client.call("CreateKey", &json!({})).map_err(|error| error.to_string())?;
    if status != 200 {
        return Err(format!("the access key of the credentials file is refused: {status} {answer}"));
    }
    let keys = client.call("ListKeys", &json!({})).map_err(|error| error.to_string())?.1;
    if keys["Keys"].as_array().map(Vec::len) != Some(1) {
        return Err(format!("there are keys that nobody made: {keys}"));
    }
    for (what, member) in [("account", "accounts"), ("user", "users"), ("access-key", "access_keys")] {
        let (code, told, stderr) =
            finish(command(binary, ["admin", "--json", "--data-dir"]).arg(data).args([what, "list"]));
        let list: Value = serde_json::from_str(&told).unwrap_or_default();
        let count = list.as_array().or_else(|| list[member].as_array()).map(Vec::len);
        if code != 0 || count != Some(1) {
            return Err(format!("not one {what}: {told} {stderr}"));
        }
    }
    Ok(())
}
