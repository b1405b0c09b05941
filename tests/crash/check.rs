//! After a restart: everything that was answered is there, what was not is there whole or not at all, and lists
//! agree with what they list.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use trent_testkit::Client;

use crate::caller::{Caller, ask, decrypts, tag_of};
use crate::model::{Blob, Key, Share, State};

/// What the server lists.
pub(crate) struct Listed {
    keys: BTreeSet<String>,
    /// Key ids by alias.
    aliases: BTreeMap<String, String>,
}

/// All items of a list.
fn pages(client: &mut Client, operation: &str, mut body: Value, member: &str) -> Result<Vec<Value>, String> {
    let mut items = Vec::new();
    loop {
        let mut page = ask(client, operation, &body)?;
        items.append(page[member].as_array_mut().ok_or_else(|| format!("{operation}: no {member}"))?);
        if page["Truncated"] != true {
            return Ok(items);
        }
        body["Marker"] = page["NextMarker"].take();
    }
}

fn decrypt_all(client: &mut Client, blobs: &[Blob]) -> Result<(), String> {
    Ok(blobs.iter().try_for_each(|blob| decrypts(client, blob))?)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Listed {
    /// Reads both lists, page by page.
    pub(crate) fn read(client: &mut Client) -> Result<Self, String> {
        let listed = pages(client, "ListKeys", json!({"Limit": 17}), "Keys")?;
        let keys: BTreeSet<_> = listed.iter().map(|key| text(&key["KeyId"])).collect();
        if keys.len() != listed.len() {
            return Err("ListKeys has a key twice".to_owned());
        }
        let mut listed = pages(client, "ListAliases", json!({"Limit": 13}), "Aliases")?;
        // Names that the API has for services, most of them for no key.
        listed.retain(|alias| !text(&alias["AliasName"]).starts_with("alias/aws/"));
        let pair = |alias: &Value| (text(&alias["AliasName"]), text(&alias["TargetKeyId"]));
        let aliases: BTreeMap<_, _> = listed.iter().map(pair).collect();
        match aliases.len() == listed.len() {
            true => Ok(Self { keys, aliases }),
            false => Err("ListAliases has an alias twice".to_owned()),
        }
    }

    /// Gives keys that nobody knows to whoever asked for them without an answer, and fails for what nobody asked
    /// for.
    pub(crate) fn adopt(&self, client: &mut Client, callers: &mut [Caller]) -> Result<(), String> {
        let mut known: BTreeSet<&String> = BTreeSet::new();
        let (mut unknown, mut names) = (Vec::new(), BTreeSet::new());
        for caller in &*callers {
            known.extend(caller.keys.iter().map(|key| &key.id));
            known.extend(caller.shares.iter().map(|share| &share.key));
            names.extend(caller.aliases.keys());
        }
        if let Some(lost) = known.iter().find(|key| !self.keys.contains(**key)) {
            return Err(format!("ListKeys lacks {lost}"));
        }
        if let Some(alias) = self.aliases.keys().find(|alias| !names.contains(alias)) {
            return Err(format!("ListAliases has {alias}, which nobody asked for"));
        }
        unknown.extend(self.keys.iter().filter(|key| !known.contains(key)));
        for id in unknown {
            let description =
                text(&ask(client, "DescribeKey", &json!({"KeyId": id}))?["KeyMetadata"]["Description"]);
            let mut callers = callers.iter_mut();
            let asked = |caller: &&mut Caller| {
                caller.wanted.as_ref().is_some_and(|wanted| wanted.description == description)
            };
            let caller =
                callers.find(asked).ok_or_else(|| format!("nobody asked for {id} `{description}`"))?;
            caller.keys.extend(caller.wanted.take().map(|wanted| Key::new(id, wanted)));
        }
        // What is not there now was never made.
        callers.iter_mut().for_each(|caller| caller.wanted = None);
        Ok(())
    }
}

impl Caller {
    /// Compares everything of this caller with what the server says; a line for each thing that is wrong.
    pub(crate) fn check(&mut self, client: &mut Client, listed: &Listed) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, alias) in &mut self.aliases {
            let found = listed.aliases.get(name).cloned();
            wrong.extend(alias.found(found).err().map(|problem| format!("{name} {problem}")));
        }
        for key in &mut self.keys {
            wrong.extend(key.check(client, listed).err().map(|problem| format!("key {}: {problem}", key.id)));
        }
        let number = self.number;
        for share in &mut self.shares {
            let problem = share.check(client, number).err();
            wrong.extend(problem.map(|problem| format!("common key {}: {problem}", share.key)));
        }
        wrong
    }
}

impl Share {
    fn check(&mut self, client: &mut Client, caller: usize) -> Result<(), String> {
        let mut tags = tags(client, &self.key)?;
        self.tag.found(tags.remove(&tag_of(caller))).map_err(|problem| format!("its tag {problem}"))?;
        decrypt_all(client, &self.blobs)
    }
}

fn tags(client: &mut Client, key: &str) -> Result<BTreeMap<String, String>, String> {
    let tags = pages(client, "ListResourceTags", json!({"KeyId": key, "Limit": 5}), "Tags")?;
    Ok(tags.iter().map(|tag| (text(&tag["TagKey"]), text(&tag["TagValue"]))).collect())
}

impl Key {
    fn check(&mut self, client: &mut Client, listed: &Listed) -> Result<(), String> {
        self.check_metadata(client)?;
        self.check_policy(client)?;
        self.check_grants(client)?;
        let tags = tags(client, &self.id)?;
        self.tags.found(tags).map_err(|problem| format!("tags: {problem}"))?;
        self.check_rotation(client)?;
        self.check_materials(client)?;
        self.check_aliases(client, listed)?;
        self.check_use(client)
    }

    fn check_metadata(&mut self, client: &mut Client) -> Result<(), String> {
        let metadata = ask(client, "DescribeKey", &json!({"KeyId": self.id}))?["KeyMetadata"].take();
        let state = State::parse(&metadata["KeyState"])?;
        self.state.found(state).map_err(|problem| format!("state: {problem}"))?;
        if metadata["Enabled"] != (state == State::Enabled) {
            return Err(format!("Enabled is {} in {state:?}", metadata["Enabled"]));
        }
        let description = text(&metadata["Description"]);
        self.description.found(description).map_err(|problem| format!("description: {problem}"))?;
        let created = self.created.get_or_insert_with(|| metadata["CreationDate"].clone());
        if *created != metadata["CreationDate"] {
            return Err(format!("was created at {created}, and now at {}", metadata["CreationDate"]));
        }
        if state == State::Pending {
            let delete_at = self.delete_at.get_or_insert_with(|| metadata["DeletionDate"].clone());
            if *delete_at != metadata["DeletionDate"] {
                return Err(format!("goes at {delete_at}, and now at {}", metadata["DeletionDate"]));
            }
        }
        Ok(())
    }

    fn check_policy(&mut self, client: &mut Client) -> Result<(), String> {
        let answer = ask(client, "GetKeyPolicy", &json!({"KeyId": self.id, "PolicyName": "default"}))?;
        let policy: Value = serde_json::from_str(&text(&answer["Policy"])).unwrap_or_default();
        let found = text(&policy["Statement"][0]["Sid"]);
        self.policy.found(found).map_err(|problem| format!("policy: {problem}"))
    }

    fn check_grants(&mut self, client: &mut Client) -> Result<(), String> {
        let grants = pages(client, "ListGrants", json!({"KeyId": self.id, "Limit": 3}), "Grants")?;
        let listed = grants.len();
        let ids: BTreeMap<_, _> =
            grants.iter().map(|grant| (text(&grant["Name"]), text(&grant["GrantId"]))).collect();
        if ids.len() != listed {
            return Err(format!("a grant is listed twice: {grants:?}"));
        }
        for (name, id) in &self.grant_ids {
            if ids.get(name).is_some_and(|found| found != id) {
                return Err(format!("grant {name} was answered as {id}, and is {:?}", ids.get(name)));
            }
        }
        let found = ids.keys().cloned().collect();
        self.grants.found(found).map_err(|problem| format!("grants: {problem}"))?;
        self.grant_ids = ids;
        Ok(())
    }

    fn check_rotation(&mut self, client: &mut Client) -> Result<(), String> {
        let status = ask(client, "GetKeyRotationStatus", &json!({"KeyId": self.id}))?;
        if *self.state.get() == State::Pending {
            // Not shown then. No change of it was under way, since the key was enabled for that.
            return Ok(());
        }
        let days = status["RotationPeriodInDays"].as_u64().filter(|_| status["KeyRotationEnabled"] == true);
        self.rotation.found(days).map_err(|problem| format!("rotation: {problem}"))
    }

    fn check_materials(&mut self, client: &mut Client) -> Result<(), String> {
        let rotations =
            pages(client, "ListKeyRotations", json!({"KeyId": self.id, "Limit": 3}), "Rotations")?;
        self.rotations.found(rotations.len()).map_err(|problem| format!("rotations: {problem}"))?;
        let all = json!({"KeyId": self.id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
        let all = pages(client, "ListKeyRotations", all, "Rotations")?;
        let current = all.iter().filter(|entry| entry["KeyMaterialState"] == "CURRENT").count();
        let ids: Vec<_> = all.iter().map(|entry| text(&entry["KeyMaterialId"])).collect();
        if ids.len() != rotations.len() + 1 || current != 1 || !ids.starts_with(&self.materials) {
            return Err(format!("materials {ids:?}, {current} current, {:?} before", self.materials));
        }
        self.materials = ids;
        Ok(())
    }

    fn check_aliases(&self, client: &mut Client, listed: &Listed) -> Result<(), String> {
        let own = pages(client, "ListAliases", json!({"KeyId": self.id}), "Aliases")?;
        let own: BTreeSet<_> = own.iter().map(|alias| text(&alias["AliasName"])).collect();
        let all: BTreeSet<_> =
            listed.aliases.iter().filter(|(_, key)| **key == self.id).map(|(name, _)| name.clone()).collect();
        if own == all {
            Ok(())
        } else {
            Err(format!("its aliases are {own:?}, and in the whole list {all:?}"))
        }
    }

    /// Everything decrypts, and it can go on being used; or neither, in a state that forbids both.
    fn check_use(&self, client: &mut Client) -> Result<(), String> {
        let request = json!({"KeyId": self.id, "Plaintext": "aGVsbG8="});
        if *self.state.get() == State::Enabled {
            ask(client, "Encrypt", &request)?;
            return decrypt_all(client, &self.blobs);
        }
        match client.call("Encrypt", &request) {
            Ok((400, _)) => Ok(()),
            other => Err(format!("encrypts although it is not enabled: {other:?}")),
        }
    }
}
