//! The identity file: accounts and all that they have, as TOML under version control.
//!
//! Reading a file gives [`Configured`] or the first [`FileProblem`], with its line and column. What can only be said
//! once everything is put together (a policy that is attached and not there) is found by the directory, which names
//! the object; [`IdentityPlaces`] then say where it stands.

mod sections;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use trent_crypto::{SecretBytes, TotpKey, kdf};
use trent_domain::identifier::AccountId;
use trent_domain::identity::{
    self as domain, Group, InlinePolicy, Kind, ManagedPolicy, OidcProvider, Owner, ProviderKeys, Record,
    RecordName, Rights, Role, User, is_access_key_id, is_mfa_device_name, is_path, is_unique_id,
};
use trent_domain::limits::ROLE_SESSION_SECONDS_DEFAULT;
use trent_domain::time::Timestamp;

use super::checks::DEVICE_NAME;
use super::configured::{
    CertificateMark, Configured, ConfiguredAccessKey, ConfiguredAccount, ConfiguredCertificate,
    ConfiguredEndpoint, ConfiguredMfaDevice, ConfiguredOrganization, ConfiguredService, IdentityPlaces,
    NamedDocument,
};
use super::documents::explain;

/// Where the file finds what it names.
pub trait Sources {
    /// The value of a variable of the environment.
    fn variable(&self, name: &str) -> Result<SecretBytes, String>;
    /// What is in a file; relative paths start at the identity file.
    fn file(&self, path: &str) -> Result<SecretBytes, String>;
}

/// What is wrong with the file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// Line and column, from 1.
    pub place: (usize, usize),
    /// What is wrong, and what to do.
    pub text: String,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.place.0, self.place.1, self.text)
    }
}

/// Line and column, from 1, of a byte of a text.
pub fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// Reads an identity file.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(text: &str, sources: &dyn Sources) -> Result<Configured, FileProblem> {
    let file: sections::File = toml::from_str(text).map_err(|error| FileProblem {
        place: position(text, error.span().map_or(0, |span| span.start)),
        text: error.message().trim().replace('\n', "; "),
    })?;
    let mut reader = Reader { text, sources, configured: Configured::default(), places: HashMap::new() };
    reader.file(file)?;
    let Reader { mut configured, places, .. } = reader;
    configured.places = IdentityPlaces(Arc::new(places));
    Ok(configured)
}

struct Reader<'a> {
    text: &'a str,
    sources: &'a dyn Sources,
    configured: Configured,
    places: HashMap<String, (usize, usize)>,
}

type Result1<T> = Result<T, FileProblem>;

impl Reader<'_> {
    fn problem(&self, span: Range<usize>, text: impl Into<String>) -> FileProblem {
        FileProblem { place: position(self.text, span.start), text: text.into() }
    }

    fn file(&mut self, file: sections::File) -> Result1<()> {
        if let Some(organization) = file.organization {
            self.organization(organization)?;
        }
        file.accounts.into_iter().try_for_each(|account| self.account(account))?;
        file.services.into_iter().try_for_each(|service| self.service(service))?;
        file.certificates.into_iter().try_for_each(|certificate| self.certificate(certificate))?;
        file.endpoints.into_iter().try_for_each(|endpoint| self.endpoint(endpoint))
    }

    /// Remembers where an object stands; of two of one name the second is wrong.
    fn place(&mut self, object: String, span: Range<usize>) -> Result1<()> {
        if self.places.contains_key(&object) {
            return Err(self.problem(span, format!("{object} is in the file twice; remove one")));
        }
        self.places.insert(object, position(self.text, span.start));
        Ok(())
    }

    fn organization(&mut self, section: sections::Organization) -> Result1<()> {
        let (span, id) = (section.id.span(), section.id.into_inner());
        let is_id = id.strip_prefix("o-").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
        if !is_id {
            return Err(self.problem(span, format!("`{id}` is no organization's id, such as o-trent00001")));
        }
        self.configured.organization = Some(ConfiguredOrganization {
            id,
            service_control: self.documents(section.scp, domain_identity())?,
            resource_control: self.documents(section.rcp, resource())?,
            except: section.except,
        });
        Ok(())
    }

    fn account(&mut self, section: sections::Account) -> Result1<()> {
        let (span, id) = (section.id.span(), *section.id.get_ref());
        self.place(format!("account {id}"), span)?;
        if section.name.get_ref().trim().is_empty() {
            return Err(self.problem(section.name.span(), "the account's name is empty; give it one"));
        }
        let account = domain::Account { id, name: section.name.into_inner(), status: section.status };
        let service_control = self.documents(section.scp, domain_identity())?;
        let resource_control = self.documents(section.rcp, resource())?;
        self.configured.accounts.push(ConfiguredAccount { account, service_control, resource_control });
        section.policies.into_iter().try_for_each(|policy| self.policy(id, policy))?;
        section.groups.into_iter().try_for_each(|group| self.group(id, group))?;
        section.users.into_iter().try_for_each(|user| self.user(id, user))?;
        section.roles.into_iter().try_for_each(|role| self.role(id, role))?;
        section.providers.into_iter().try_for_each(|provider| self.provider(id, provider))
    }

    fn policy(&mut self, account: AccountId, section: sections::Policy) -> Result1<()> {
        let head = Head { name: section.name, path: section.path, unique_id: section.unique_id };
        let head = self.head(account, Kind::Policy, head)?;
        let document = self.document(section.document, domain_identity())?.text;
        let (name, path, unique_id) = head;
        let policy = ManagedPolicy { account, name, path, unique_id, created: CREATED, document };
        self.record(Record::Policy(policy))
    }

    fn group(&mut self, account: AccountId, section: sections::Group) -> Result1<()> {
        let head = Head { name: section.name, path: section.path, unique_id: section.unique_id };
        let (name, path, unique_id) = self.head(account, Kind::Group, head)?;
        let rights = self.rights(section.policies, section.inline)?;
        self.record(Record::Group(Group { account, name, path, unique_id, created: CREATED, rights }))
    }

    fn user(&mut self, account: AccountId, section: sections::User) -> Result1<()> {
        let head = Head { name: section.name, path: section.path, unique_id: section.unique_id };
        let (name, path, unique_id) = self.head(account, Kind::User, head)?;
        for key in section.access_keys {
            let owner = Owner::User(name.clone());
            let key = self.access_key(key)?;
            self.configured.access_keys.push((account, owner, key));
        }
        for device in section.mfa_devices {
            self.mfa_device(account, Owner::User(name.clone()), device)?;
        }
        let user = User {
            path,
            status: section.status,
            groups: section.groups,
            rights: self.rights(section.policies, section.inline)?,
            boundary: section.permissions_boundary,
            tags: section.tags,
            ..User::new(account, &name, &unique_id, CREATED)
        };
        self.record(Record::User(user))
    }

    fn role(&mut self, account: AccountId, section: sections::Role) -> Result1<()> {
        let head = Head { name: section.name, path: section.path, unique_id: section.unique_id };
        let (name, path, unique_id) = self.head(account, Kind::Role, head)?;
        let trust = self.document(section.trust, trent_policy::Kind::Trust)?.text;
        let revoke = section.revoke_sessions_before.map(|time| self.time(&time)).transpose()?;
        let role = Role {
            path,
            max_session_seconds: section.max_session_seconds.unwrap_or(ROLE_SESSION_SECONDS_DEFAULT),
            revoke_sessions_before: revoke,
            rights: self.rights(section.policies, section.inline)?,
            boundary: section.permissions_boundary,
            tags: section.tags,
            ..Role::new(account, &name, &unique_id, &trust, CREATED)
        };
        self.record(Record::Role(role))
    }

    fn provider(&mut self, account: AccountId, section: sections::Provider) -> Result1<()> {
        let (span, url) = (section.url.span(), section.url.into_inner());
        self.place(RecordName { account, kind: Kind::OidcProvider, name: url.clone() }.to_string(), span)?;
        let (span, source) = (section.jwks.span(), section.jwks.into_inner());
        let keys = if source == "discovery" {
            ProviderKeys::Discovery
        } else if source.trim_start().starts_with('{') {
            ProviderKeys::Fixed(source)
        } else if let Some(path) = source.strip_prefix("file:") {
            ProviderKeys::Fixed(self.file_text(path, span)?)
        } else {
            let text = "`jwks` is \"discovery\", \"file:PATH\", or a JSON Web Key Set itself";
            return Err(self.problem(span, text));
        };
        let ca = match section.ca {
            None => None,
            Some(source) => {
                let (span, text) = (source.span(), source.into_inner());
                Some(match text.strip_prefix("file:") {
                    Some(path) => self.file_text(path, span)?,
                    None => text,
                })
            }
        };
        let client_ids = section.client_ids;
        let provider = OidcProvider { account, url, client_ids, keys, ca, created: CREATED };
        self.record(Record::OidcProvider(provider))
    }

    fn service(&mut self, section: sections::Service) -> Result1<()> {
        let (span, name) = (section.name.span(), section.name.into_inner());
        self.place(format!("service principal `{name}`"), span.clone())?;
        let account = section.account.or_else(|| section.may_act_in_accounts.first().copied());
        let account = account.ok_or_else(|| {
            let text = "a service needs an account: `account`, or the first of `may_act_in_accounts`";
            self.problem(span, text)
        })?;
        let keys: Result1<Vec<_>> = section.access_keys.into_iter().map(|key| self.access_key(key)).collect();
        self.configured.services.push(ConfiguredService {
            name,
            account,
            access_keys: keys?,
            may_act_in: section.may_act_in_accounts,
        });
        Ok(())
    }

    fn certificate(&mut self, section: sections::Certificate) -> Result1<()> {
        let (span, principal) = (section.principal.span(), section.principal.into_inner());
        let (span, mark) = match (section.fingerprint, section.san, section.subject) {
            (Some(given), None, None) => {
                let (span, digits) = (given.span(), given.into_inner().replace(':', "").to_ascii_lowercase());
                if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    let text = "a fingerprint is the SHA-256 of the certificate: 64 hexadecimal digits";
                    return Err(self.problem(span, text));
                }
                (span, CertificateMark::Fingerprint(digits))
            }
            (None, Some(given), None) => {
                let (span, name) = (given.span(), given.into_inner());
                if !["DNS:", "URI:", "email:"].iter().any(|kind| name.starts_with(kind)) {
                    let text = "an alternative name begins with DNS:, URI: or email:";
                    return Err(self.problem(span, text));
                }
                (span, CertificateMark::Name(name))
            }
            (None, None, Some(given)) => (given.span(), CertificateMark::Subject(given.into_inner())),
            _ => {
                let text = "a certificate is known by one of `fingerprint`, `san` and `subject`";
                return Err(self.problem(span, text));
            }
        };
        self.place(format!("client certificate {mark}"), span)?;
        let region = match section.region {
            Some(region) => region,
            None => "us-east-1".parse().map_err(|_| self.problem(0..0, "there is no default Region"))?,
        };
        self.configured.certificates.push(ConfiguredCertificate { mark, principal, region });
        Ok(())
    }

    fn endpoint(&mut self, section: sections::Endpoint) -> Result1<()> {
        let (span, vpce_id) = (section.vpce_id.span(), section.vpce_id.into_inner());
        self.place(format!("endpoint `{vpce_id}`"), span)?;
        let policy =
            section.policy.map(|path| self.document(path, trent_policy::Kind::Resource)).transpose()?;
        let (vpc_id, listener, account) = (section.vpc_id, section.listener, section.account);
        self.configured.endpoints.push(ConfiguredEndpoint { vpce_id, vpc_id, listener, account, policy });
        Ok(())
    }

    fn record(&mut self, record: Record) -> Result1<()> {
        self.configured.records.push(record);
        Ok(())
    }

    /// Name, path and unique id.
    fn head(
        &mut self,
        account: AccountId,
        kind: Kind,
        Head { name, path, unique_id }: Head,
    ) -> Result1<(String, String, String)> {
        let (span, name) = (name.span(), name.into_inner());
        self.place(RecordName { account, kind, name: name.clone() }.to_string(), span)?;
        let path = match path {
            None => "/".to_owned(),
            Some(path) if is_path(path.get_ref()) => path.into_inner(),
            Some(path) => {
                return Err(self.problem(path.span(), format!("`{}` is no path: / or /…/", path.get_ref())));
            }
        };
        let prefix = kind.unique_id_prefix();
        let unique_id = match unique_id {
            None => derived_unique_id(prefix, &domain::iam_arn(account, kind.as_str(), &path, &name)),
            Some(id) if is_unique_id(id.get_ref(), prefix) => id.into_inner(),
            Some(id) => {
                let text = format!("`{}` is no unique id: {prefix} and 17 of A-Z 0-9", id.get_ref());
                return Err(self.problem(id.span(), text));
            }
        };
        Ok((name, path, unique_id))
    }

    fn rights(&self, policies: BTreeSet<String>, inline: Vec<sections::Inline>) -> Result1<Rights> {
        let inline = inline.into_iter().map(|inline| {
            let document = self.document(inline.document, domain_identity())?.text;
            Ok(InlinePolicy { name: inline.name.into_inner(), document })
        });
        Ok(Rights { policies, inline: inline.collect::<Result1<_>>()? })
    }

    fn access_key(&mut self, section: sections::AccessKey) -> Result1<ConfiguredAccessKey> {
        let (span, id) = (section.id.span(), section.id.into_inner());
        if !is_access_key_id(&id) {
            let text = format!("`{id}` is no access key id: 16 to 128 of A-Z a-z 0-9 _");
            return Err(self.problem(span, text));
        }
        self.place(format!("access key `{id}`"), span)?;
        let (secret, _) = self.secret(section.secret, &format!("secret of access key `{id}`"))?;
        Ok(ConfiguredAccessKey { id, secret, status: section.status })
    }

    fn mfa_device(&mut self, account: AccountId, owner: Owner, section: sections::MfaDevice) -> Result1<()> {
        let (span, name) = (section.name.span(), section.name.into_inner());
        if !is_mfa_device_name(&name) {
            return Err(self.problem(span, format!("`{name}` {DEVICE_NAME}")));
        }
        let object = RecordName { account, kind: Kind::MfaDevice, name: name.clone() }.to_string();
        self.place(object.clone(), span)?;
        let what = format!("key of {object}");
        let (text, span) = self.secret(section.key, &what)?;
        let key = TotpKey::from_base32(text.expose());
        let no_key = || self.problem(span, format!("{what}: it is not base 32 of 16 bytes or more"));
        let key = key.ok_or_else(no_key)?;
        self.configured.mfa_devices.push(ConfiguredMfaDevice { name, account, owner, key });
        Ok(())
    }

    /// A secret from where it is said to be.
    fn secret(
        &self,
        source: Spanned<sections::SecretSource>,
        what: &str,
    ) -> Result1<(SecretBytes, Range<usize>)> {
        let (span, source) = (source.span(), source.into_inner());
        let problem = |text: String| self.problem(span.clone(), format!("{what}: {text}"));
        let secret = source.read(self.sources).map_err(problem)?;
        if secret.expose().is_empty() {
            return Err(problem("it is empty".to_owned()));
        }
        Ok((secret, span))
    }

    fn documents(
        &self,
        paths: Vec<Spanned<String>>,
        kind: trent_policy::Kind,
    ) -> Result1<Vec<NamedDocument>> {
        paths.into_iter().map(|path| self.document(path, kind)).collect()
    }

    /// A policy document: in a file, or written out.
    fn document(&self, source: Spanned<String>, kind: trent_policy::Kind) -> Result1<NamedDocument> {
        let (span, source) = (source.span(), source.into_inner());
        let (name, text) = if source.trim_start().starts_with('{') {
            ("the policy here".to_owned(), source)
        } else {
            let text = self.file_text(source.strip_prefix("file:").unwrap_or(&source), span.clone())?;
            (source, text)
        };
        match trent_policy::Document::parse(&text, kind) {
            Ok(_) => Ok(NamedDocument { name, text }),
            Err(error) => Err(self.problem(span, explain(&name, &text, &error))),
        }
    }

    fn file_text(&self, path: &str, span: Range<usize>) -> Result1<String> {
        let bytes = self.sources.file(path).map_err(|text| self.problem(span.clone(), text))?;
        let text = std::str::from_utf8(bytes.expose());
        text.map(str::to_owned).map_err(|_| self.problem(span, format!("{path} is not UTF-8")))
    }

    fn time(&self, value: &Spanned<toml::Value>) -> Result1<Timestamp> {
        // Either a time of TOML's own or a text with one.
        let text = match value.get_ref() {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Timestamp::parse(&text).ok_or_else(|| {
            self.problem(value.span(), format!("{text} is no time, such as 2026-01-01T00:00:00Z"))
        })
    }
}

struct Head {
    name: Spanned<String>,
    path: Option<Spanned<String>>,
    unique_id: Option<Spanned<String>>,
}

/// The file does not say when its objects were made.
const CREATED: Timestamp = Timestamp::from_millis(0);

fn domain_identity() -> trent_policy::Kind {
    trent_policy::Kind::Identity
}

fn resource() -> trent_policy::Kind {
    trent_policy::Kind::Resource
}

/// The unique id of what the file has. Nothing is stored of it, so it follows from its name: it must be the same
/// after a restart and on every node.
fn derived_unique_id(prefix: &str, arn: &str) -> String {
    const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let derived = kdf::derive(&[0; 32], b"trent/configured-user/v1", arn.as_bytes());
    let letters = derived.expose().iter().take(17);
    let letters = letters.filter_map(|byte| BASE_32.get(usize::from(byte % 32)).copied());
    prefix.chars().chain(letters.map(char::from)).collect()
}

/// Sources that have nothing: for files that name none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSources;

impl Sources for NoSources {
    fn variable(&self, name: &str) -> Result<SecretBytes, String> {
        Err(format!("there is no variable {name} in the environment"))
    }

    fn file(&self, path: &str) -> Result<SecretBytes, String> {
        Err(format!("{path}: there are no files here"))
    }
}

/// Sources that tests write down.
#[derive(Debug, Clone, Default)]
pub struct GivenSources(pub BTreeMap<String, String>);

impl Sources for GivenSources {
    fn variable(&self, name: &str) -> Result<SecretBytes, String> {
        self.file(name)
    }

    fn file(&self, path: &str) -> Result<SecretBytes, String> {
        let text = self.0.get(path).ok_or_else(|| format!("{path}: not given"))?;
        Ok(SecretBytes::from(text.clone().into_bytes()))
    }
}
