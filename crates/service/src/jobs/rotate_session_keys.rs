//! Replaces the key that seals session tokens when it has done so for long, and deletes those before it of which every token
//! is over.

use crate::error::KmsError;
use crate::open::Service;

impl Service {
    pub(super) async fn rotate_session_keys(&self) -> Result<(), KmsError> {
        let now = self.now();
        let days = self.options.session_key_days;
        let internal = |error: trent_gate::OpenError| KmsError::internal(&error);
        if days > 0 && self.gate.session_key_since(now).await.map_err(internal)?.plus_days(days) <= now {
            let number = self.gate.rotate_session_key(now).await.map_err(internal)?;
            tracing::info!(number, "made a new key for session tokens");
        }
        let dropped = self.gate.drop_session_keys(now).await.map_err(internal)?;
        if dropped > 0 {
            tracing::info!(dropped, "deleted old keys of session tokens");
        }
        Ok(())
    }
}
