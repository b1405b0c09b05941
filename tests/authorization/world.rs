//! One service for all cases: each has two accounts of its own, with the same people in them.
//!
//! What a case needs is made in the name of the account's root, on whom no policy bears; the request alone is the
//! caller's own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use trent_audit::{Client, Recorder};
use trent_domain::alias::{Alias, AliasName};
use trent_domain::time::Clock;
use trent_protocol::Operation::{self, *};
use trent_server::{Credentials, Listen, Metrics, Server, Settings, Signatures};
use trent_service::{
    Configured, Connection, Form, Options, Roots, SigningIdentity, Spoken, StsAction, StsCall,
};
use trent_testkit::attestation::DocumentMaker;
use trent_testkit::{TestKms, base64, told};

use crate::case::{Answer, Case, Expected, Grant, Signing};
use crate::people::{self, SECRET, access_key, document, service_key};
use crate::wire::{Draft, Signer, Wire, assume_role, session_of};

pub(crate) const REGION: &str = "us-east-1";
/// Where replicas are.
const OTHER_REGION: &str = "eu-west-1";
pub(crate) struct World {
    kms: TestKms,
    cases: Vec<Case>,
    /// What stands for the names in braces, of each case.
    names: Vec<BTreeMap<String, String>>,
    wire: Option<Wire>,
    /// The endpoints of the cases that have one.
    endpoints: BTreeMap<usize, Wire>,
    documents: DocumentMaker,
    /// Serves until it is dropped.
    server: Option<Server>,
}

impl World {
    /// A service that knows the people of all cases, and their keys.
    pub(crate) async fn new(cases: Vec<Case>, over_http: bool) -> Self {
        let documents = DocumentMaker::default();
        let roots = Roots::default().with("test", &documents.root.der).expect("a root");
        let options = Options { attestation_roots: roots, ..Options::default() };
        let kms = TestKms::with_options(options).await.in_region(REGION);
        let endpoints = BTreeMap::new();
        let mut world =
            Self { kms, names: Vec::new(), wire: None, endpoints, documents, server: None, cases };
        for index in 0..world.cases.len() {
            world.names.push(people::names(index));
            world.make_keys(index).await;
        }
        world.configure(&BTreeSet::new()).await;
        if over_http {
            world.serve();
        }
        world
    }

    /// Listens, and for each endpoint apart.
    fn serve(&mut self) {
        let through: Vec<_> = self
            .cases
            .iter()
            .enumerate()
            .filter_map(|(index, case)| Some((index, case.through.clone()?)))
            .collect();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let endpoints = through.iter().map(|(_, through)| Some(Arc::from(through.endpoint.as_str())));
        let listeners = std::iter::once(None).chain(endpoints);
        let listeners = listeners.map(|endpoint| Listen { address, tls: None, endpoint }).collect();
        let regions = [REGION, OTHER_REGION].map(|region| region.parse().expect("a Region"));
        let signatures = Signatures { regions: Some(regions.to_vec()), ..Signatures::default() };
        let credentials = Credentials::Signed(signatures);
        let settings = Settings { listeners, cores: 1, credentials, ..Settings::default() };
        let server =
            Server::start(settings, Arc::clone(&self.kms.service), &Metrics::new()).expect("a server");
        let mut addresses = server.addresses().iter();
        self.wire = addresses.next().map(|address| Wire::new(*address));
        let indexes = through.iter().map(|(index, _)| *index);
        self.endpoints = indexes.zip(addresses.map(|address| Wire::new(*address))).collect();
        self.server = Some(server);
    }

    pub(crate) fn len(&self) -> usize {
        self.cases.len()
    }

    pub(crate) fn case(&self, index: usize) -> &Case {
        &self.cases[index]
    }

    pub(crate) fn expected(&self, index: usize) -> Expected {
        let case = &self.cases[index];
        let caller = match case.caller.as_str() {
            "root" => format!("arn:aws:iam::{}:root", self.names[index]["A"]),
            service if service.contains('.') => service.to_owned(),
            name => self.names[index][name].clone(),
        };
        Expected::read(&self.named(index, &case.answer), &caller)
    }

    /// Makes what the case needs, and asks its question.
    pub(crate) async fn ask(&mut self, index: usize) -> Answer {
        self.prepare(index).await;
        let case = self.cases[index].clone();
        let mut signer = self.signer(index, &case.caller, case.session.as_ref()).await;
        let signing = case.signing.clone().unwrap_or_default();
        if let Some(other) = &signing.token_of {
            signer.token = self.signer(index, other, None).await.token;
        }
        self.kms.clock.advance_millis(signing.wait_seconds * 1000);
        let mut body: Value = self.json(index, &case.body);
        if body["Policy"].is_array() {
            body["Policy"] = json!(document(&body["Policy"]).to_string());
        }
        let region = case.region.as_deref().unwrap_or(REGION).to_owned();
        let answer = match self.wire.is_some() {
            true => self.over_http(index, &case, signer, signing, &region, &body),
            false => self.directly(index, &case, &signer, &region, body).await,
        };
        if let (Some(again), Ok(answer)) = (&case.again, &answer) {
            let same = answer["GrantId"] == self.names[index]["grant"];
            assert_eq!(same, again == "same", "{}: {answer}", case.case);
            assert_ne!(answer["GrantToken"], self.names[index]["token"], "{}: tokens are new", case.case);
        }
        answer
    }

    /// What an operation answers to a well-formed request that is signed in this way by alice, or by a session.
    pub(crate) async fn signed_badly(&mut self, operation: &str, caller: &str, signing: Signing) -> Answer {
        let signer = self.signer(0, caller, None).await;
        self.kms.clock.advance_millis(signing.wait_seconds * 1000);
        let now = self.kms.clock.now().seconds();
        let (headers, body) = (Vec::new(), "{}".to_owned());
        let draft = Draft { signer: &signer, region: REGION, now, headers, body, signing };
        self.wire.as_mut().expect("a server").ask(operation, draft)
    }

    fn over_http(
        &mut self,
        index: usize,
        case: &Case,
        mut signer: Signer,
        signing: Signing,
        region: &str,
        body: &Value,
    ) -> Answer {
        if signing.inactive {
            signer.access_key = access_key(index, "off");
        }
        let mut headers = Vec::new();
        if let Some(service) = &case.via {
            signer = Signer { access_key: service_key(service), secret: SECRET.to_owned(), token: None };
            headers.push(("x-trent-on-behalf-of".to_owned(), self.names[index][&case.caller].clone()));
        }
        if let Some(arn) = &case.source_arn {
            headers.push(("x-trent-source-arn".to_owned(), self.named(index, arn)));
        }
        let now = self.kms.clock.now().seconds();
        let draft = Draft { signer: &signer, region, now, headers, body: body.to_string(), signing };
        let wire = self.endpoints.get_mut(&index).or(self.wire.as_mut());
        wire.expect("a server").ask(&case.operation, draft)
    }

    async fn directly(
        &self,
        index: usize,
        case: &Case,
        signer: &Signer,
        region: &str,
        body: Value,
    ) -> Answer {
        let service = &self.kms.service;
        let key = case.via.as_deref().map_or_else(|| signer.access_key.clone(), service_key);
        let identity: Arc<SigningIdentity> = match &signer.token {
            Some(token) => service.session(&key, token).expect("a session"),
            None => service.access_key(&key).expect("an access key"),
        };
        let arn = case.source_arn.as_ref().map(|arn| self.named(index, arn));
        let on_behalf_of = case.via.as_ref().map(|_| self.names[index][&case.caller].as_str());
        let spoken = Spoken { on_behalf_of, source_arn: arn.as_deref(), source_account: None };
        let (caller, standing) =
            service.spoken_for(&identity, spoken, region.parse().expect("a Region")).expect("it may speak");
        let mut kms = self.kms.in_region(region);
        (kms.caller, kms.standing) = (caller, standing);
        kms.call(operation(&case.operation), body).await.map_err(|error| told(&error))
    }

    /// The access key of a user, a root or a service; for the session of a role one that begins now.
    async fn signer(&mut self, index: usize, caller: &str, session: Option<&Value>) -> Signer {
        let long = |access_key| Signer { access_key, secret: SECRET.to_owned(), token: None };
        if caller.contains(".amazonaws.com") {
            return long(service_key(caller));
        }
        let Some((role, name)) = caller.split_once('/') else { return long(access_key(index, caller)) };
        let arn = self.names[index][role].clone();
        let policy = session.map(|statements| document(&self.json(index, statements)));
        let keeper = long(access_key(index, if role == "app" { "keeper" } else { "bkeeper" }));
        let now = self.kms.clock.now().seconds();
        let (headers, signing) = (Vec::new(), Signing::default());
        let body = assume_role(&arn, name, policy.as_ref());
        match &mut self.wire {
            Some(wire) => wire.assume(Draft { signer: &keeper, region: REGION, now, headers, body, signing }),
            None => self.begin(&arn, name, policy.as_ref(), &keeper).await,
        }
    }
}

/// Before the request.
impl World {
    /// Makes everybody known; these roles anew.
    async fn configure(&self, recreated: &BTreeSet<(usize, String)>) {
        let mut configured = Configured::default();
        for (index, case) in self.cases.iter().enumerate() {
            let named = |value: &Value| document(&self.json(index, value)).to_string();
            people::add(&mut configured, index, case, &named, recreated);
            people::add_endpoint(&mut configured, case, &named);
        }
        people::add_services(&mut configured);
        self.kms.service.configure(configured).await.expect("the identities fit together");
    }

    async fn make_keys(&mut self, index: usize) {
        let case = self.cases[index].clone();
        let text = format!("{case:?}");
        let (root, other) = (self.root(index, "A"), self.root(index, "B"));
        let mut request = json!({"MultiRegion": case.multi_region});
        for (member, value) in [("KeySpec", &case.spec), ("KeyUsage", &case.usage), ("Origin", &case.origin)]
        {
            if let Some(value) = value {
                request[member] = json!(value);
            }
        }
        let mut names = Vec::new();
        if case.key.is_some() || ["{K}", "{blob}"].iter().any(|name| text.contains(name)) {
            names.push(("K", root.arn(&root.create_key_with(request).await)));
        }
        if text.contains("{K2}") {
            names.push(("K2", root.arn(&root.create_key().await)));
        }
        if text.contains("{Kb}") {
            names.push(("Kb", other.arn(&other.create_key().await)));
        }
        self.names[index].extend(names.into_iter().map(|(name, arn)| (name.to_owned(), arn)));
    }

    async fn prepare(&mut self, index: usize) {
        let case = self.cases[index].clone();
        let Some(key) = self.names[index].get("K").cloned() else { return };
        let root = self.root(index, "A");
        for alias in &case.aliases {
            root.create_alias(alias, &key).await;
        }
        self.insert_aliases(&root, &key, case.alias_count).await;
        for (tag, value) in &case.tags {
            let tags = json!([{"TagKey": tag, "TagValue": value}]);
            root.ok(TagResource, json!({"KeyId": key, "Tags": tags})).await;
        }
        if case.body.to_string().contains("{blob}") {
            let context = case.body["EncryptionContext"].clone();
            let request = json!({"KeyId": key, "Plaintext": base64(b"text"), "EncryptionContext": context});
            let blob = root.ok(Encrypt, request).await["CiphertextBlob"].take();
            self.set(index, "blob", &blob);
        }
        if case.body["Recipient"].is_object() {
            self.make_documents(index, &root).await;
        }
        for grant in case.grants.iter().filter(|grant| grant.issuer.is_none()) {
            self.make_grant(index, grant, &root).await;
        }
        for (number, days) in case.idle_days.iter().enumerate() {
            if number > 0 {
                root.encrypt(&key, b"text").await;
            }
            self.kms.clock.advance_days(*days);
        }
        if case.disabled {
            root.disable(&key).await;
        }
        self.put_policies(index, &case, &key).await;
        for grant in &case.grants {
            if let Some(name) = &grant.issuer {
                let signer = self.kms.service.access_key(&access_key(index, name)).expect("an access key");
                let (caller, standing) = (Arc::clone(&signer.caller), Arc::clone(&signer.standing));
                let mut issuer = self.kms.clone();
                (issuer.caller, issuer.standing) = (caller, standing);
                self.make_grant(index, grant, &issuer).await;
            }
        }
        if let Some(role) = &case.recreated {
            self.configure(&BTreeSet::from([(index, role.clone())])).await;
        }
    }

    /// What an enclave shows whose image measures 7, and one in debug mode, which measures nothing.
    async fn make_documents(&mut self, index: usize, root: &TestKms) {
        let public = root.public_key(&root.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await).await;
        for image in [0, 7] {
            let document = self.documents.enclave(image, &public, self.kms.clock.now());
            let document = base64(&document.signed_by(&self.documents.signer));
            self.set(index, &format!("document{image}"), &json!(document));
        }
    }

    /// Puts aliases beside a key, also more than may be created.
    async fn insert_aliases(&self, root: &TestKms, key: &str, count: usize) {
        let (account, region, now) = (root.caller.account, root.region, root.clock.now());
        let target = key.rsplit('/').next().expect("an id").parse().expect("a key id");
        let written = trent_database::write(&*root.database, "test", move |records| {
            (0..count).try_for_each(|number| {
                let name = AliasName::unchecked(&format!("alias/fin{number}"));
                records.insert_alias(&Alias { account, region, name, target, created: now, updated: now })
            })
        });
        written.await.and_then(|written| written).expect("the aliases are inserted");
    }

    async fn put_policies(&mut self, index: usize, case: &Case, key: &str) {
        let root = self.root(index, "A");
        if let Some(replica) = &case.replica {
            root.ok(ReplicateKey, json!({"KeyId": key, "ReplicaRegion": OTHER_REGION})).await;
            let arn = key.replace(REGION, OTHER_REGION);
            root.in_region(OTHER_REGION).put_policy(&arn, &self.json(index, replica)).await;
            self.set(index, "replica", &json!(arn));
        }
        if let Some(statements) = &case.key {
            let statements = self.json(index, statements);
            if let Some(other) = self.names[index].get("K2") {
                root.put_policy(other, &statements).await;
            }
            root.put_policy(key, &statements).await;
        }
    }

    async fn make_grant(&mut self, index: usize, grant: &Grant, issuer: &TestKms) {
        let key = self.named(index, grant.key.as_deref().unwrap_or("{K}"));
        let mut request = json!({
            "KeyId": key, "Operations": grant.operations, "Name": grant.name,
            "Constraints": grant.constraints.as_ref().map(|constraints| self.json(index, constraints)),
            "RetiringPrincipal": grant.retiring.as_ref().map(|name| self.named(index, name)),
        });
        let (member, grantee) = match grant.grantee.strip_prefix("service ") {
            Some(service) => ("GranteeServicePrincipal", service),
            None => ("GranteePrincipal", grant.grantee.as_str()),
        };
        request[member] = json!(self.named(index, grantee));
        let made = issuer.ok(CreateGrant, request).await;
        if grant.revoked {
            issuer.ok(RevokeGrant, json!({"KeyId": key, "GrantId": made["GrantId"]})).await;
        }
        if !self.names[index].contains_key("grant") {
            self.set(index, "grant", &made["GrantId"]);
            self.set(index, "token", &made["GrantToken"]);
        }
    }

    /// A session of a role without the way over HTTP.
    async fn begin(&self, role: &str, name: &str, policy: Option<&Value>, keeper: &Signer) -> Signer {
        let form = Form::parse(assume_role(role, name, policy).as_bytes()).expect("a form");
        let call = StsCall {
            signer: self.kms.service.access_key(&keeper.access_key),
            region: REGION.parse().expect("a Region"),
            request_id: self.kms.service.new_request_id(),
            connection: Connection::default(),
        };
        let to = (&Recorder::default(), Client::default());
        let answer = self.kms.service.sts(StsAction::AssumeRole, &form, &call, to).await;
        session_of(&answer.expect("a session"))
    }

    /// The root of one of the two accounts of a case, on whom no policy bears.
    fn root(&self, index: usize, account: &str) -> TestKms {
        self.kms.in_account(&self.names[index][account])
    }

    fn set(&mut self, index: usize, name: &str, value: &Value) {
        self.names[index].insert(name.to_owned(), value.as_str().expect("a text").to_owned());
    }

    /// A text of the table with its names replaced.
    fn named(&self, index: usize, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.names[index] {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    fn json(&self, index: usize, value: &Value) -> Value {
        serde_json::from_str(&self.named(index, &value.to_string())).expect("JSON")
    }
}

fn operation(name: &str) -> Operation {
    Operation::ALL.into_iter().find(|operation| operation.name() == name).expect("an operation")
}
