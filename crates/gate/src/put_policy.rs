//! The lock-out check: whoever puts a policy must be able to put another one.

use trent_domain::key::Key;
use trent_policy::Document;

use crate::decision::could_put_policy;
use crate::facts::Facts;
use crate::opening::Gate;
use crate::refusal::Refusal;

impl Gate {
    /// Whether the caller could put another policy on `key` if it had this one. The key need not exist yet.
    ///
    /// `facts` are those of the request at hand, but for the parameters, which are those of the request that is
    /// imagined, and for a replica the Region.
    pub async fn keeps_access(
        &self,
        key: &Key,
        policy: &Document,
        facts: &Facts<'_>,
    ) -> Result<bool, Refusal> {
        let aliases = match facts.standing.asks_for_aliases() {
            true => Some(self.read_aliases(key.region, key.id).await?),
            false => None,
        };
        Ok(could_put_policy(key, policy, aliases.as_deref(), facts))
    }
}
