//! The keys that seal session tokens, one after the other: the newest seals, those before it open, until nothing that
//! they sealed is good any more. Then they are gone, and with them what a copy of them could still forge.

use trent_database::{DatabaseError, Records};
use trent_domain::limits::USER_SESSION_SECONDS_MAX;
use trent_domain::time::Timestamp;
use trent_keystore::{NewRingKey, RingName};

use crate::opening::{Gate, OpenError};

/// The row that tells since when a key seals, in milliseconds since 1970.
fn since_row(number: u32) -> String {
    format!("session-key-since/{number}")
}

impl Gate {
    /// Since when the newest key seals. One of which that is not known does from `now` on.
    pub async fn session_key_since(&self, now: Timestamp) -> Result<Timestamp, OpenError> {
        let number = self.keyring.sessions().unwrap_or_default();
        let known = trent_database::read(&*self.database, move |records| since(records, number)).await?;
        if let Some(known) = known {
            return Ok(known);
        }
        trent_database::write(&*self.database, "note session key", move |transaction| {
            Ok::<_, OpenError>(transaction.put_setting(&since_row(number), &text(now))?)
        })
        .await??;
        Ok(now)
    }

    /// Makes a new key, which seals from now on; gives its number.
    pub async fn rotate_session_key(&self, now: Timestamp) -> Result<u32, OpenError> {
        let number = self.keyring.sessions().unwrap_or_default() + 1;
        let name = RingName::Sessions(number);
        let NewRingKey { sealed: fresh, .. } = self.keyring.create(name)?;
        // Of two that make it at once, the row that is written first counts.
        let sealed =
            trent_database::write(
                &*self.database,
                "rotate session key",
                move |transaction| match transaction.ring_key(&name.to_string())? {
                    Some(existing) => Ok::<_, OpenError>(existing.sealed),
                    None => {
                        crate::opening::insert(transaction, name, &fresh)?;
                        transaction.put_setting(&since_row(number), &text(now))?;
                        Ok(fresh.clone())
                    }
                },
            )
            .await??;
        self.keyring.admit(name, &sealed)?;
        Ok(number)
    }

    /// Deletes the keys of which every token is over; gives how many.
    pub async fn drop_session_keys(&self, now: Timestamp) -> Result<usize, OpenError> {
        let numbers = self.keyring.session_numbers();
        // Each but the newest sealed until the next one did.
        let replaced: Vec<(u32, u32)> =
            numbers.iter().copied().zip(numbers.iter().copied().skip(1)).collect();
        if replaced.is_empty() {
            return Ok(0);
        }
        let over = trent_database::read(&*self.database, move |records| {
            let mut over = Vec::new();
            for (number, next) in &replaced {
                let since = since(records, *next)?.map(|since| since.plus_seconds(USER_SESSION_SECONDS_MAX));
                over.extend(since.filter(|end| *end <= now).map(|_| *number));
            }
            Ok(over)
        })
        .await?;
        if over.is_empty() {
            return Ok(0);
        }
        let gone = over.clone();
        trent_database::write(&*self.database, "drop session keys", move |transaction| {
            let mut names = gone.iter().map(|number| RingName::Sessions(*number).to_string());
            names.try_for_each(|name| Ok::<_, OpenError>(transaction.delete_ring_key(&name)?))
        })
        .await??;
        over.iter().for_each(|number| self.keyring.forget(RingName::Sessions(*number)));
        Ok(over.len())
    }
}

fn since(records: &dyn Records, number: u32) -> Result<Option<Timestamp>, DatabaseError> {
    let row = records.setting(&since_row(number))?;
    let millis = row.and_then(|row| String::from_utf8(row).ok()?.parse().ok());
    Ok(millis.map(Timestamp::from_millis))
}

fn text(at: Timestamp) -> Vec<u8> {
    at.millis().to_string().into_bytes()
}
