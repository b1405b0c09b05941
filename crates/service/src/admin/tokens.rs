//! API tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use trent_crypto::SecretBytes;
use trent_crypto::digest::sha256;
use trent_domain::identifier::{AccountId, Region};
use trent_domain::identity::{
    API_TOKEN_PREFIX, ApiToken, Kind, Record, RecordName, TokenHolder, is_session_name,
};
use trent_domain::secret::Secret;

use super::{Outcome, Refused, Reply, TokenLine};
use crate::open::Service;

/// For how long a token may be made.
const DAYS_MAX: u32 = 3650;

/// What is asked of a new token.
pub(super) struct Wanted {
    pub(super) account: AccountId,
    pub(super) user: Option<String>,
    pub(super) role: Option<String>,
    pub(super) session: Option<String>,
    pub(super) region: Region,
    pub(super) days: u32,
    pub(super) description: String,
}

impl Service {
    pub(super) async fn create_token(&self, wanted: Wanted) -> Outcome {
        let Wanted { account, region, days, .. } = wanted;
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(Refused::new(format!("a token is good for 1 to {DAYS_MAX} days")));
        }
        let holder = self.token_holder(&wanted)?;
        let id = self.new_access_key_id(API_TOKEN_PREFIX)?;
        let random = SecretBytes::from(self.random_array::<32>()?.to_vec());
        let token = Secret::from(format!("{id}.{}", URL_SAFE_NO_PAD.encode(random.expose())));
        let sha256 = trent_audit::hex(&sha256(&[token.expose().as_bytes()]));
        let created = self.now();
        let expires = created.plus_days(days);
        let description = wanted.description;
        let record = ApiToken { account, id, holder, region, sha256, description, created, expires };
        self.add_record(Record::ApiToken(record)).await?;
        Ok(Reply::NewToken { token, expires: expires.to_text() })
    }

    pub(super) async fn list_tokens(&self) -> Outcome {
        let directory = self.directory();
        let all = self.all_records().await?;
        let tokens = all.into_iter().filter_map(|(record, _)| match record {
            Record::ApiToken(token) => Some(token),
            _ => None,
        });
        let line = |token: ApiToken| {
            let unique_id = match &token.holder {
                TokenHolder::Root => None,
                TokenHolder::User(id) => Some(id.clone()),
                TokenHolder::Role(id, session) => Some(format!("{id}:{session}")),
            };
            let arn = match &unique_id {
                None => Some(trent_domain::identity::root_arn(token.account)),
                Some(id) => trent_policy::Directory::arn(&*directory, id),
            };
            TokenLine {
                principal: arn.or(unique_id).unwrap_or_default(),
                id: token.id,
                region: token.region,
                created: token.created.to_text(),
                expires: token.expires.to_text(),
                description: token.description,
            }
        };
        Ok(Reply::Tokens { tokens: tokens.map(line).collect() })
    }

    pub(super) async fn revoke_token(&self, id: String) -> Outcome {
        let mut all = self.all_records().await?.into_iter().map(|(record, _)| record.record_name());
        let name = all.find(|name| name.kind == Kind::ApiToken && name.name == id);
        let name = name.ok_or_else(|| {
            Refused::new(format!("no token `{id}`; `trent admin token list` shows those there are"))
        })?;
        self.delete_record(name).await
    }

    fn token_holder(&self, wanted: &Wanted) -> Result<TokenHolder, Refused> {
        let directory = self.directory();
        let account = wanted.account;
        match (&wanted.user, &wanted.role, &wanted.session) {
            (None, None, None) => Ok(TokenHolder::Root),
            (Some(name), None, None) => {
                let user = directory.users().find(|user| user.account == account && user.name == *name);
                user.map(|user| TokenHolder::User(user.unique_id.clone()))
                    .ok_or_else(|| unknown(account, Kind::User, name))
            }
            (None, Some(name), Some(session)) if is_session_name(session) => {
                let role = directory.roles().find(|role| role.account == account && role.name == *name);
                role.map(|role| TokenHolder::Role(role.unique_id.clone(), session.clone()))
                    .ok_or_else(|| unknown(account, Kind::Role, name))
            }
            (None, Some(_), Some(session)) => Err(Refused::new(format!(
                "`{session}` is no session name: 2 to 64 of A-Z a-z 0-9 + = , . @ - _"
            ))),
            (None, Some(_), None) => Err(Refused::new("a token for a role needs the name of a session")),
            _ => Err(Refused::new("a token is for a user, for a session of a role, or for the root")),
        }
    }
}

fn unknown(account: AccountId, kind: Kind, name: &str) -> Refused {
    Refused::new(format!("there is no {}", RecordName { account, kind, name: name.to_owned() }))
}
