//! The keys of providers that are asked for them, kept in memory.
//!
//! A provider is asked when its keys are wanted and an hour old, and once a minute at most when a token names a key
//! that is not among them. One that cannot be asked leaves the keys that it had. Others do not wait for it.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Deserialize;
use trent_domain::identity::{OidcProvider, ProviderKeys};
use trent_domain::time::Timestamp;
use trent_jwt::KeySet;

/// How long keys are believed without asking again.
const FRESH_SECONDS: u32 = 3_600;
/// How long after a provider was asked it may be asked again.
const PAUSE_SECONDS: u32 = 60;

/// Gets what is at a URL.
pub trait Fetch: Send + Sync {
    /// The body of the answer, trusting `ca` (PEM) or, without it, the certificates of the system; otherwise why not.
    fn get<'a>(
        &'a self,
        url: &'a str,
        ca: Option<&'a str>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>>;
}

/// What is known of one provider.
#[derive(Default)]
struct Known {
    keys: Arc<KeySet>,
    /// When the keys came.
    fetched: Option<Timestamp>,
    /// When the provider was last asked.
    asked: Option<Timestamp>,
}

type Slot = Arc<tokio::sync::Mutex<Known>>;

/// The keys of providers. Those of one that is configured anew, with another certificate, are apart.
#[derive(Default)]
pub(crate) struct ProviderKeyCache {
    slots: Mutex<HashMap<(String, Option<String>), Slot>>,
}

impl ProviderKeyCache {
    /// The keys of a provider, with one of this id if it has one.
    ///
    /// # Errors
    /// There are none, and the provider cannot be asked.
    pub(super) async fn keys(
        &self,
        provider: &OidcProvider,
        key_id: Option<&str>,
        now: Timestamp,
        fetch: Option<&Arc<dyn Fetch>>,
    ) -> Result<Arc<KeySet>, String> {
        if let ProviderKeys::Fixed(text) = &provider.keys {
            return KeySet::parse(text).map(Arc::new).map_err(|error| error.to_string());
        }
        let place = (provider.url.clone(), provider.ca.clone());
        let slot = Arc::clone(self.slots.lock().entry(place).or_default());
        // Whoever waits here waits for the same provider.
        let mut known = slot.lock_owned().await;
        if !known.must_ask(key_id, now) {
            return known.found();
        }
        let (provider, fetch) =
            (provider.clone(), Arc::clone(fetch.ok_or("there is no way to the network")?));
        // In a task of its own: were it to end when its caller goes away, callers that do so could keep the keys from all.
        let asking = tokio::spawn(async move {
            known.asked = Some(now);
            match discover(&provider, &*fetch).await {
                Ok(keys) => {
                    known.keys = Arc::new(keys);
                    known.fetched = Some(now);
                }
                Err(error) => {
                    tracing::warn!(provider = provider.url, error, "the keys of a provider could not be had");
                    if known.fetched.is_none() {
                        return Err(error);
                    }
                }
            }
            known.found()
        });
        asking.await.unwrap_or_else(|_| Err("asking for them was broken off".to_owned()))
    }
}

impl Known {
    fn must_ask(&self, key_id: Option<&str>, now: Timestamp) -> bool {
        let is_over = |at: Option<Timestamp>, seconds| at.is_none_or(|at| at.plus_seconds(seconds) <= now);
        let is_missing = key_id.is_some_and(|id| !self.keys.has(id));
        (is_over(self.fetched, FRESH_SECONDS) || is_missing) && is_over(self.asked, PAUSE_SECONDS)
    }

    fn found(&self) -> Result<Arc<KeySet>, String> {
        self.fetched.map(|_| Arc::clone(&self.keys)).ok_or_else(|| "it was asked a moment ago".to_owned())
    }
}

/// What a provider says of itself, as far as it matters.
#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

async fn discover(provider: &OidcProvider, fetch: &dyn Fetch) -> Result<KeySet, String> {
    let url = format!("{}/.well-known/openid-configuration", provider.url.trim_end_matches('/'));
    let ca = provider.ca.as_deref();
    let bytes = fetch.get(&url, ca).await.map_err(|error| format!("{url}: {error}"))?;
    let configuration: Configuration =
        serde_json::from_slice(&bytes).map_err(|error| format!("{url}: {error}"))?;
    if configuration.issuer != provider.url {
        return Err(format!("{url}: it is the configuration of another issuer, {}", configuration.issuer));
    }
    let url = configuration.jwks_uri;
    // A provider may not have trent ask somebody in the clear in its name.
    if provider.url.starts_with("https://") && !url.starts_with("https://") {
        return Err(format!("{url}: its keys are not behind HTTPS"));
    }
    let bytes = fetch.get(&url, ca).await.map_err(|error| format!("{url}: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{url}: not UTF-8"))?;
    KeySet::parse(&text).map_err(|error| format!("{url}: {error}"))
}
