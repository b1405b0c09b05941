//! A key in several tokens at once.

use std::time::{Duration, Instant};

use trent_pkcs11::{Error as TokenError, KeyId};

use crate::worker::{Error, Worker};

/// How long the HSMs may take to share a key.
const SHARING: Duration = Duration::from_secs(5);
/// How long to wait before the next look.
const PAUSE: Duration = Duration::from_millis(100);

/// How a key comes to several tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// The HSMs share their keys: one made in any of them is soon in all.
    Shared,
    /// They do not. A key moves wrapped before it is settled; for development.
    OaepTransfer,
}

impl Worker {
    /// Makes a key that is in all of these tokens, to which somebody is logged in; where that fails it is in none of them.
    ///
    /// # Errors
    /// Those of the tokens, or of the worker; [`TokenError::KeyNotFound`] when the HSMs do not share the key in time. After
    /// one of the worker, the key may be somewhere.
    pub async fn generate_in_all(
        &self,
        serials: &[&str],
        how: Replication,
        id: KeyId,
        label: &str,
    ) -> Result<(), Error> {
        let (first, others) = serials.split_first().ok_or(Error::Token(TokenError::TokenNotPresent))?;
        let made = match how {
            Replication::Shared => self.share(first, others, id, label).await,
            Replication::OaepTransfer => self.transfer(first, others, id, label).await,
        };
        if made.is_err() {
            self.destroy_in_all(serials, id).await;
        }
        made
    }

    /// Destroys a key in all tokens that have it. Answers how many had it and have it no more.
    pub async fn destroy_in_all(&self, serials: &[&str], id: KeyId) -> usize {
        let mut destroyed = 0;
        for serial in serials {
            match self.destroy(serial, id).await {
                Ok(()) => destroyed += 1,
                Err(Error::Token(TokenError::KeyNotFound)) => {}
                Err(error) => {
                    tracing::warn!(token = serial, %error, "a key could not be destroyed in an HSM");
                }
            }
        }
        destroyed
    }

    async fn share(&self, first: &str, others: &[&str], id: KeyId, label: &str) -> Result<(), Error> {
        self.generate(first, id, label).await?;
        let until = Instant::now() + SHARING;
        for other in others {
            loop {
                match self.find(other, id).await {
                    Err(Error::Token(TokenError::KeyNotFound)) if Instant::now() < until => {
                        tokio::time::sleep(PAUSE).await;
                    }
                    found => break found.map(drop)?,
                }
            }
        }
        Ok(())
    }

    async fn transfer(&self, first: &str, others: &[&str], id: KeyId, label: &str) -> Result<(), Error> {
        self.generate_movable(first, id, label).await?;
        for other in others {
            self.copy(first, other, id, label).await?;
        }
        self.settle(first, id).await
    }
}
