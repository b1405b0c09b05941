//! A caller: changes keys and aliases of its own, and its share of common keys, one change after the other, and
//! notes what was answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use trent_testkit::{ACCOUNT, Client, Dice, base64};

use crate::model::{Blob, Key, Known, Share, State, Wanted, policy, tag_list};

/// Keys of one caller. Each is looked at after each kill.
const KEYS_MAX: usize = 10;
const ALIASES_MAX: usize = 8;
/// The service allows 25.
const ROTATIONS_MAX: usize = 25;

/// Why a caller stops.
pub(crate) enum Stop {
    /// The connection broke: the server was killed.
    Broken(String),
    /// An answer was not what it must be.
    Wrong(String),
}

impl From<Stop> for String {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Broken(problem) | Stop::Wrong(problem) => problem,
        }
    }
}

type Done = Result<(), Stop>;

/// One of those who load the server.
pub(crate) struct Caller {
    pub(crate) number: usize,
    pub(crate) keys: Vec<Key>,
    /// The keys that aliases stand for, by alias; nothing for one that is deleted.
    pub(crate) aliases: BTreeMap<String, Known<Option<String>>>,
    pub(crate) shares: Vec<Share>,
    /// A CreateKey that was not answered.
    pub(crate) wanted: Option<Wanted>,
    /// Changes that were answered.
    pub(crate) changes: u64,
    pub(crate) dice: Dice,
    names: u64,
}

/// The body of the answer; anything but success stops the caller.
pub(crate) fn ask(client: &mut Client, operation: &str, body: &Value) -> Result<Value, Stop> {
    match client.call(operation, body) {
        Ok((200, answer)) => Ok(answer),
        Ok((status, answer)) => Err(Stop::Wrong(format!("{operation} {body}: {status} {answer}"))),
        Err(error) => Err(Stop::Broken(format!("{operation}: {error}"))),
    }
}

impl Caller {
    pub(crate) fn new(number: usize, shared: &[String], dice: Dice) -> Self {
        let share = |key: &String| Share { key: key.clone(), tag: Known::new(None), blobs: Vec::new() };
        Self {
            number,
            keys: Vec::new(),
            aliases: BTreeMap::new(),
            shares: shared.iter().map(share).collect(),
            wanted: None,
            changes: 0,
            dice,
            names: 0,
        }
    }

    /// Calls until the connection breaks, which it may only when the server was killed.
    pub(crate) fn load(&mut self, mut client: Client, killed: &AtomicBool) -> Result<(), String> {
        loop {
            match self.step(&mut client) {
                Ok(()) => {}
                Err(Stop::Broken(_)) if killed.load(Ordering::SeqCst) => return Ok(()),
                Err(Stop::Broken(problem)) => return Err(format!("nobody was killed, and yet: {problem}")),
                Err(Stop::Wrong(problem)) => return Err(problem),
            }
        }
    }

    /// Text that nobody used before.
    fn name(&mut self) -> String {
        self.names += 1;
        format!("c{}-{}", self.number, self.names)
    }

    fn step(&mut self, client: &mut Client) -> Done {
        let few = self.keys.len() < 2;
        match self.dice.below(100) {
            roll if (few || roll < 12) && self.keys.len() < KEYS_MAX => self.create_key(client),
            0..30 => self.encrypt(client),
            30..45 => self.change_alias(client),
            45..58 => self.share(client),
            _ => self.change_key(client),
        }
    }

    fn create_key(&mut self, client: &mut Client) -> Done {
        let tags = (0..self.dice.below(3)).map(|number| (format!("tag-{number}"), self.name())).collect();
        let policy = self.dice.chance(30).then(|| self.name());
        let wanted = Wanted { description: self.name(), tags, policy };
        self.wanted = Some(wanted.clone());
        let answer = ask(client, "CreateKey", &wanted.request())?;
        self.wanted = None;
        let metadata = &answer["KeyMetadata"];
        let mut key = Key::new(metadata["KeyId"].as_str().unwrap_or_default(), wanted);
        key.created = Some(metadata["CreationDate"].clone());
        self.keys.push(key);
        self.changes += 1;
        Ok(())
    }

    /// Under a key of its own or a common one; in between, looks whether it decrypts.
    fn encrypt(&mut self, client: &mut Client) -> Done {
        let plaintext = base64(&self.dice.bytes(24));
        let shared = self.dice.chance(30) && !self.shares.is_empty();
        let (id, blobs) = if shared {
            let share = self.dice.below(self.shares.len());
            let share = &mut self.shares[share];
            (&share.key, &mut share.blobs)
        } else {
            let key = self.dice.below(self.keys.len());
            let key = &mut self.keys[key];
            if *key.state.get() != State::Enabled {
                return Ok(());
            }
            (&key.id, &mut key.blobs)
        };
        let answer = ask(client, "Encrypt", &json!({"KeyId": id, "Plaintext": plaintext}))?;
        let blob = answer["CiphertextBlob"].as_str().unwrap_or_default().to_owned();
        blobs.push(Blob { blob, plaintext, at: Instant::now() });
        if self.dice.chance(30) {
            decrypts(client, &blobs[self.dice.below(blobs.len())])?;
        }
        Ok(())
    }

    fn change_alias(&mut self, client: &mut Client) -> Done {
        let alive: Vec<&Key> = self.keys.iter().filter(|key| *key.state.get() != State::Pending).collect();
        let Some(target) = (!alive.is_empty()).then(|| alive[self.dice.below(alive.len())].id.clone()) else {
            return Ok(());
        };
        let number = self.dice.below(ALIASES_MAX);
        // A name is used again after its alias was deleted.
        let name = format!("alias/c{}/{number}", self.number);
        let alias = self.aliases.entry(name.clone()).or_insert_with(|| Known::new(None));
        let (operation, next) = match alias.get() {
            None => ("CreateAlias", Some(target)),
            Some(_) if self.dice.chance(40) => ("DeleteAlias", None),
            Some(_) => ("UpdateAlias", Some(target)),
        };
        alias.ask(next.clone());
        let body = match next {
            Some(target) => json!({"AliasName": name, "TargetKeyId": target}),
            None => json!({"AliasName": name}),
        };
        ask(client, operation, &body)?;
        alias.answered();
        self.changes += 1;
        Ok(())
    }

    /// Changes its tag of a key whose other tags others change at the same time.
    fn share(&mut self, client: &mut Client) -> Done {
        let (value, own) = (self.name(), tag_of(self.number));
        let share = self.dice.below(self.shares.len());
        let share = &mut self.shares[share];
        if share.tag.get().is_some() && self.dice.chance(40) {
            share.tag.ask(None);
            ask(client, "UntagResource", &json!({"KeyId": share.key, "TagKeys": [own]}))?;
        } else {
            share.tag.ask(Some(value.clone()));
            let tags = json!([{"TagKey": own, "TagValue": value}]);
            ask(client, "TagResource", &json!({"KeyId": share.key, "Tags": tags}))?;
        }
        share.tag.answered();
        self.changes += 1;
        Ok(())
    }

    fn change_key(&mut self, client: &mut Client) -> Done {
        let fresh = self.name();
        let key = self.dice.below(self.keys.len());
        let (key, dice) = (&mut self.keys[key], &mut self.dice);
        match (*key.state.get(), dice.below(100)) {
            (State::Pending, _) => key.cancel_deletion(client)?,
            (State::Disabled, 0..50) => key.switch(client, "EnableKey", State::Enabled)?,
            (State::Enabled, 0..12) => key.switch(client, "DisableKey", State::Disabled)?,
            (State::Enabled, 12..30) if *key.rotations.get() < ROTATIONS_MAX => key.rotate(client)?,
            (State::Enabled, 30..45) => key.change_schedule(client, dice)?,
            (_, 45..55) => key.schedule_deletion(client, dice)?,
            (_, 55..65) => key.put_policy(client, fresh)?,
            (_, 65..75) => key.describe(client, fresh)?,
            (State::Enabled, 75..90) => key.change_grants(client, fresh, dice)?,
            (_, _) => key.change_tags(client, fresh, dice)?,
        }
        self.changes += 1;
        Ok(())
    }

    /// How many ciphertexts it has.
    pub(crate) fn ciphertexts(&self) -> usize {
        let own = self.keys.iter().map(|key| key.blobs.len()).sum::<usize>();
        own + self.shares.iter().map(|share| share.blobs.len()).sum::<usize>()
    }

    /// Makes every key usable, so that every ciphertext can be tried.
    pub(crate) fn revive(&mut self, client: &mut Client) -> Result<(), String> {
        for key in &mut self.keys {
            key.revive(client)?;
        }
        Ok(())
    }
}

/// The tag that a caller has on common keys.
pub(crate) fn tag_of(caller: usize) -> String {
    format!("caller-{caller}")
}

/// A ciphertext gives back its plaintext.
pub(crate) fn decrypts(client: &mut Client, blob: &Blob) -> Done {
    let answer = ask(client, "Decrypt", &json!({"CiphertextBlob": blob.blob}))?;
    if answer["Plaintext"] == *blob.plaintext {
        return Ok(());
    }
    Err(Stop::Wrong(format!("{} decrypts to {}, not to {}", blob.blob, answer["Plaintext"], blob.plaintext)))
}

impl Key {
    fn switch(&mut self, client: &mut Client, operation: &str, next: State) -> Done {
        self.state.ask(next);
        ask(client, operation, &json!({"KeyId": self.id}))?;
        self.state.answered();
        Ok(())
    }

    fn schedule_deletion(&mut self, client: &mut Client, dice: &mut Dice) -> Done {
        self.state.ask(State::Pending);
        self.delete_at = None;
        let body = json!({"KeyId": self.id, "PendingWindowInDays": 7 + dice.below(24)});
        let answer = ask(client, "ScheduleKeyDeletion", &body)?;
        self.delete_at = Some(answer["DeletionDate"].clone());
        self.state.answered();
        Ok(())
    }

    fn cancel_deletion(&mut self, client: &mut Client) -> Done {
        self.switch(client, "CancelKeyDeletion", State::Disabled)
    }

    fn revive(&mut self, client: &mut Client) -> Done {
        if *self.state.get() == State::Pending {
            self.cancel_deletion(client)?;
        }
        self.switch(client, "EnableKey", State::Enabled)
    }

    fn rotate(&mut self, client: &mut Client) -> Done {
        self.rotations.ask(self.rotations.get() + 1);
        ask(client, "RotateKeyOnDemand", &json!({"KeyId": self.id}))?;
        self.rotations.answered();
        Ok(())
    }

    fn change_schedule(&mut self, client: &mut Client, dice: &mut Dice) -> Done {
        if self.rotation.get().is_some() && dice.chance(50) {
            self.rotation.ask(None);
            ask(client, "DisableKeyRotation", &json!({"KeyId": self.id}))?;
        } else {
            let days = dice.within(90..2561);
            self.rotation.ask(Some(days));
            ask(client, "EnableKeyRotation", &json!({"KeyId": self.id, "RotationPeriodInDays": days}))?;
        }
        self.rotation.answered();
        Ok(())
    }

    fn put_policy(&mut self, client: &mut Client, name: String) -> Done {
        let body = json!({"KeyId": self.id, "PolicyName": "default", "Policy": policy(&name)});
        self.policy.ask(name);
        ask(client, "PutKeyPolicy", &body)?;
        self.policy.answered();
        Ok(())
    }

    fn change_grants(&mut self, client: &mut Client, name: String, dice: &mut Dice) -> Done {
        let mut next = self.grants.get().clone();
        let there: Vec<String> = next.iter().cloned().collect();
        if !there.is_empty() && dice.chance(45) {
            let gone = &there[dice.below(there.len())];
            let operation = if dice.chance(50) { "RevokeGrant" } else { "RetireGrant" };
            let body = json!({"KeyId": self.id, "GrantId": self.grant_ids[gone]});
            next.remove(gone);
            self.grants.ask(next);
            ask(client, operation, &body)?;
        } else {
            let root = format!("arn:aws:iam::{ACCOUNT}:root");
            let body =
                json!({"KeyId": self.id, "GranteePrincipal": root, "Operations": ["Decrypt"], "Name": name});
            next.insert(name.clone());
            self.grants.ask(next);
            let answer = ask(client, "CreateGrant", &body)?;
            self.grant_ids.insert(name, answer["GrantId"].as_str().unwrap_or_default().to_owned());
        }
        self.grants.answered();
        Ok(())
    }

    fn describe(&mut self, client: &mut Client, text: String) -> Done {
        let body = json!({"KeyId": self.id, "Description": text});
        self.description.ask(text);
        ask(client, "UpdateKeyDescription", &body)?;
        self.description.answered();
        Ok(())
    }

    fn change_tags(&mut self, client: &mut Client, value: String, dice: &mut Dice) -> Done {
        let mut next = self.tags.get().clone();
        let there: Vec<String> = next.keys().cloned().collect();
        if !there.is_empty() && dice.chance(40) {
            let gone = &there[dice.below(there.len())];
            next.remove(gone);
            self.tags.ask(next);
            ask(client, "UntagResource", &json!({"KeyId": self.id, "TagKeys": [gone]}))?;
        } else {
            // Two at once: they come together or not at all.
            let added: BTreeMap<_, _> =
                (0..2).map(|_| (format!("tag-{}", dice.below(6)), value.clone())).collect();
            next.extend(added.clone());
            self.tags.ask(next);
            ask(client, "TagResource", &json!({"KeyId": self.id, "Tags": tag_list(&added)}))?;
        }
        self.tags.answered();
        Ok(())
    }
}
