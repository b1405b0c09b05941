//! The second factor: devices for one-time codes, what STS makes of their codes, and what policies see of it. The codes are
//! made here from RFC 4226 and RFC 6238.

use std::sync::Arc;

use aws_lc_rs::hmac;
use serde_json::{Value, json};
use trent_audit::Client;
use trent_domain::identity::{Kind, RecordName};
use trent_protocol::Operation::Decrypt;
use trent_service::admin::{Command, Managed, Reply};
use trent_service::identity_file::{GivenSources, NoSources, parse};
use trent_service::{Connection, Form, SigningIdentity, StsAction, StsCall, StsError};
use trent_testkit::{ACCOUNT, TestKms, base64};

const INVALID_CODE: &str = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
const INVALID_DEVICE: &str = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA \
                              serial number is valid and associated with this user.";
const HALF: &str =
    "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.";

/// A device as an app has it.
struct App {
    serial_number: String,
    key: Vec<u8>,
}

impl App {
    /// The code that is shown so many seconds from now.
    fn code(&self, kms: &TestKms, later: i64) -> String {
        let step = (kms.service.now().seconds() + later) / 30;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.key);
        let mac = hmac::sign(&key, &step.to_be_bytes());
        let mac = mac.as_ref();
        let at = usize::from(mac[19] & 15);
        let word = u32::from_be_bytes(mac[at..at + 4].try_into().expect("four bytes"));
        format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
    }

    /// The parameters that show a code.
    fn with(&self, code: &str) -> String {
        format!("&SerialNumber={}&TokenCode={code}", self.serial_number)
    }
}

fn from_base32(text: &str) -> Vec<u8> {
    let digit = |c| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).expect("base 32");
    let bits: String = text.chars().map(|c| format!("{:05b}", digit(c))).collect();
    let bytes = bits.as_bytes().chunks_exact(8).map(|byte| std::str::from_utf8(byte).expect("digits"));
    bytes.map(|byte| u8::from_str_radix(byte, 2).expect("a byte")).collect()
}

async fn done(kms: &TestKms, command: Command) {
    assert_eq!(kms.service.administer(command).await, Reply::Done);
}

async fn add_device(kms: &TestKms, user: Option<&str>, name: &str) -> Reply {
    let (account, user) = (kms.caller.account, user.map(str::to_owned));
    kms.service.administer(Command::AddMfaDevice { account, user, name: name.to_owned() }).await
}

async fn device(kms: &TestKms, user: Option<&str>, name: &str) -> App {
    let reply = add_device(kms, user, name).await;
    let shown = format!("{reply:?}");
    let Reply::NewMfaDevice { serial_number, key, uri } = reply else { panic!("a device: {shown}") };
    let (key, uri) = (key.expose(), uri.expose());
    assert!(!shown.contains(key), "{shown}");
    assert_eq!(serial_number, format!("arn:aws:iam::{ACCOUNT}:mfa/{name}"));
    let owner = user.unwrap_or("root");
    assert_eq!(uri, format!("otpauth://totp/trent:{owner}@{ACCOUNT}?secret={key}&issuer=trent"));
    App { serial_number, key: from_base32(key) }
}

/// A user that may do everything with its long-term key: its id.
async fn user(kms: &TestKms, name: &str) -> String {
    let (account, name) = (kms.caller.account, name.to_owned());
    let path = "/".to_owned();
    done(kms, Command::AddUser { account, name: name.clone(), path, administrator: true }).await;
    access_key(kms, Some(name)).await
}

async fn access_key(kms: &TestKms, user: Option<String>) -> String {
    let reply = kms.service.administer(Command::AddAccessKey { account: kms.caller.account, user }).await;
    let Reply::NewAccessKey { id, .. } = reply else { panic!("an access key: {reply:?}") };
    id
}

async fn sts(kms: &TestKms, access_key: &str, form: &str) -> Result<String, StsError> {
    let form = Form::parse(format!("Version=2011-06-15&{form}").as_bytes()).expect("a form");
    let signer = kms.service.access_key(access_key);
    let (region, request_id) = (kms.region, kms.service.new_request_id());
    let call = StsCall { signer, region, request_id, connection: Connection::default() };
    let recorder = kms.service.trail().recorder();
    kms.service.sts(StsAction::of(&form)?, &form, &call, (&recorder, Client::default())).await
}

async fn session_token(kms: &TestKms, access_key: &str, more: &str) -> Result<String, StsError> {
    sts(kms, access_key, &format!("Action=GetSessionToken{more}")).await
}

async fn refused(kms: &TestKms, access_key: &str, more: &str) -> String {
    let error = session_token(kms, access_key, more).await.expect_err("it is refused");
    assert!(["AccessDenied", "ValidationError"].contains(&error.code.as_str()));
    error.message
}

/// The service, called in the session that STS has begun.
fn in_session(kms: &TestKms, xml: &str) -> TestKms {
    let [id, token] = ["AccessKeyId", "SessionToken"].map(|name| {
        let (_, rest) = xml.split_once(&format!("<{name}>")).expect("the element");
        rest.split_once('<').expect("its end").0.to_owned()
    });
    let session = kms.service.session(&id, &token).expect("a session");
    called_by(kms, &session)
}

fn with_key(kms: &TestKms, access_key: &str) -> TestKms {
    let signer = kms.service.access_key(access_key).expect("an access key");
    called_by(kms, &signer)
}

fn called_by(kms: &TestKms, signer: &SigningIdentity) -> TestKms {
    let mut kms = kms.clone();
    (kms.caller, kms.standing) = (Arc::clone(&signer.caller), Arc::clone(&signer.standing));
    kms
}

#[tokio::test]
async fn a_code_is_good_once_and_none_before_it_ever_after() {
    let kms = TestKms::new().await;
    let alice = user(&kms, "alice").await;
    let app = device(&kms, Some("alice"), "phone").await;
    let now = app.with(&app.code(&kms, 0));
    session_token(&kms, &alice, &now).await.unwrap();
    assert_eq!(refused(&kms, &alice, &now).await, INVALID_CODE);
    assert_eq!(refused(&kms, &alice, &app.with(&app.code(&kms, -30))).await, INVALID_CODE);
    session_token(&kms, &alice, &app.with(&app.code(&kms, 30))).await.unwrap();
    kms.clock.advance_millis(30_000);
    assert_eq!(refused(&kms, &alice, &app.with(&app.code(&kms, 0))).await, INVALID_CODE);
    let last = app.with(&app.code(&kms, 30));
    session_token(&kms, &alice, &last).await.unwrap();
    let kms = kms.restart().await;
    assert_eq!(refused(&kms, &alice, &last).await, INVALID_CODE, "also after a restart");
    kms.clock.advance_millis(90_000);
    session_token(&kms, &alice, &app.with(&app.code(&kms, -30))).await.unwrap();
}

#[tokio::test]
async fn of_two_requests_with_one_code_one_is_let_in() {
    let kms = TestKms::new().await;
    let alice = user(&kms, "alice").await;
    let app = device(&kms, Some("alice"), "phone").await;
    let form = app.with(&app.code(&kms, 0));
    let (one, other) = tokio::join!(session_token(&kms, &alice, &form), session_token(&kms, &alice, &form));
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
}

#[tokio::test]
async fn what_is_wrong_is_told_as_aws_tells_it() {
    let kms = TestKms::new().await;
    let (alice, bob) = (user(&kms, "alice").await, user(&kms, "bob").await);
    let app = device(&kms, Some("alice"), "phone").await;
    let code = app.code(&kms, 0);
    let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + 500_000) % 1_000_000);
    assert_eq!(refused(&kms, &alice, &app.with(&wrong)).await, INVALID_CODE);
    assert_eq!(refused(&kms, &alice, &format!("&TokenCode={code}")).await, HALF);
    assert_eq!(refused(&kms, &alice, &format!("&SerialNumber={}", app.serial_number)).await, HALF);
    // Neither a device of somebody else nor one that is not there.
    assert_eq!(refused(&kms, &bob, &app.with(&code)).await, INVALID_DEVICE);
    let root = access_key(&kms, None).await;
    assert_eq!(refused(&kms, &root, &app.with(&code)).await, INVALID_DEVICE);
    let none = format!("&SerialNumber=arn:aws:iam::{ACCOUNT}:mfa/none&TokenCode={code}");
    assert_eq!(refused(&kms, &alice, &none).await, INVALID_DEVICE);
    for (serial, code, told) in [
        (
            "short",
            "123456",
            r"Value 'short' at 'serialNumber' failed to satisfy constraint: Member must have length greater than or equal to 9",
        ),
        (
            "no%20spaces%20please",
            "123456",
            r"at 'serialNumber' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=/:,.@-]*",
        ),
        (
            "GAHT12345678",
            "12345",
            r"Value '12345' at 'tokenCode' failed to satisfy constraint: Member must have length greater than or equal to 6",
        ),
        (
            "GAHT12345678",
            "12345a",
            r"Value '12345a' at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\d]*",
        ),
    ] {
        let refused = refused(&kms, &alice, &format!("&SerialNumber={serial}&TokenCode={code}")).await;
        assert!(refused.starts_with("1 validation error detected: ") && refused.contains(told), "{refused}");
    }
    session_token(&kms, &alice, &app.with(&code)).await.unwrap();
}

#[tokio::test]
async fn who_guesses_codes_waits() {
    let kms = TestKms::new().await;
    let alice = user(&kms, "alice").await;
    let app = device(&kms, Some("alice"), "phone").await;
    let other = device(&kms, Some("alice"), "tablet").await;
    let wrong = |kms: &TestKms| {
        let code = app.code(kms, 0).parse::<u32>().unwrap() + 500_000;
        app.with(&format!("{:06}", code % 1_000_000))
    };
    for _ in 0..5 {
        assert_eq!(refused(&kms, &alice, &wrong(&kms)).await, INVALID_CODE);
    }
    let told = refused(&kms, &alice, &app.with(&app.code(&kms, 0))).await;
    assert!(told.starts_with("MultiFactorAuthentication failed, too many"), "{told}");
    session_token(&kms, &alice, &other.with(&other.code(&kms, 0))).await.unwrap();
    kms.clock.advance_millis(60_000);
    session_token(&kms, &alice, &app.with(&app.code(&kms, 0))).await.unwrap();
    for _ in 0..4 {
        assert_eq!(refused(&kms, &alice, &wrong(&kms)).await, INVALID_CODE, "it is forgotten");
    }
}

#[tokio::test]
async fn wrong_codes_are_forgotten_after_a_day_and_with_their_device() {
    let kms = TestKms::new().await;
    let alice = user(&kms, "alice").await;
    let guess = async |app: &App, times: usize| {
        for _ in 0..times {
            let code = app.code(&kms, 0).parse::<u32>().unwrap() + 500_000;
            let refused = refused(&kms, &alice, &app.with(&format!("{:06}", code % 1_000_000))).await;
            assert_eq!(refused, INVALID_CODE);
        }
    };
    let app = device(&kms, Some("alice"), "phone").await;
    guess(&app, 5).await;
    let name = RecordName { account: kms.caller.account, kind: Kind::MfaDevice, name: "phone".to_owned() };
    done(&kms, Command::DeleteRecord { name }).await;
    let app = device(&kms, Some("alice"), "phone").await;
    session_token(&kms, &alice, &app.with(&app.code(&kms, 0))).await.unwrap();
    guess(&app, 5).await;
    kms.clock.advance_millis((60 + 86_400) * 1_000);
    guess(&app, 4).await;
    session_token(&kms, &alice, &app.with(&app.code(&kms, 0))).await.unwrap();
}

#[tokio::test]
async fn who_may_not_assume_roles_does_not_learn_which_there_are() {
    let kms = TestKms::new().await;
    let bob = user(&kms, "bob").await;
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
                       "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "sts:AssumeRole",
                       "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}]})
    .to_string();
    let (account, name, path) = (kms.caller.account, "there".to_owned(), "/".to_owned());
    done(&kms, Command::AddRole { account, name, path, trust, max_session_seconds: 3600 }).await;
    let refused = async |role: &str, more: &str| {
        let form = format!(
            "Action=AssumeRole&RoleSessionName=test&RoleArn=arn:aws:iam::{ACCOUNT}:role/{role}{more}"
        );
        let error = sts(&kms, &bob, &form).await.expect_err("nobody is let in");
        (error.code, error.message.replace(role, "…"))
    };
    let unknown = format!("&PolicyArns.member.1.arn=arn:aws:iam::{ACCOUNT}:policy/none");
    for more in ["", "&SerialNumber=GAHT12345678", "&TokenCode=123456", "&Policy=%7B", &unknown] {
        assert_eq!(refused("there", more).await, refused("elsewhere", more).await, "{more}");
    }
    assert_eq!(refused("there", "&TokenCode=123456").await.1, HALF);
}

fn condition(operator: &str, key: &str, value: &str) -> Value {
    json!({"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
           "Condition": {operator: {key: value}}})
}

#[tokio::test]
async fn policies_see_the_second_factor_of_a_session_and_its_age() {
    let kms = TestKms::new().await;
    let alice = user(&kms, "alice").await;
    let app = device(&kms, Some("alice"), "phone").await;
    let long_term = with_key(&kms, &alice);
    let without = in_session(&kms, &session_token(&kms, &alice, "").await.unwrap());
    let xml = session_token(&kms, &alice, &app.with(&app.code(&kms, 0))).await.unwrap();
    let with = in_session(&kms, &xml);
    let account = json!({"AWS": ACCOUNT});
    let allow = json!({"Effect": "Allow", "Principal": account, "Action": "kms:*", "Resource": "*"});
    const PRESENT: &str = "aws:MultiFactorAuthPresent";
    // Whether the long-term key, the session without a second factor and the one with it are let in.
    for (deny, expected) in [
        (condition("Bool", PRESENT, "false"), [true, false, true]),
        (condition("BoolIfExists", PRESENT, "false"), [false, false, true]),
        (condition("Bool", PRESENT, "true"), [true, true, false]),
        (condition("Null", PRESENT, "true"), [false, true, true]),
        (condition("Null", "aws:MultiFactorAuthAge", "true"), [false, false, true]),
        (condition("NumericGreaterThan", "aws:MultiFactorAuthAge", "3600"), [true, true, true]),
        (condition("NumericLessThanEquals", "aws:MultiFactorAuthAge", "3600"), [true, true, false]),
    ] {
        let key = kms.create_key().await;
        let blob = kms.encrypt(&key, b"text").await;
        kms.put_policy(&key, &json!([allow, deny])).await;
        let asked = json!({"CiphertextBlob": blob});
        let mut let_in = Vec::new();
        for caller in [&long_term, &without, &with] {
            let_in.push(caller.call(Decrypt, asked.clone()).await.is_ok());
        }
        assert_eq!(let_in, expected, "{deny}");
    }
    let key = kms.create_key().await;
    let old = condition("NumericGreaterThan", "aws:MultiFactorAuthAge", "3600");
    let blob = kms.encrypt(&key, b"text").await;
    kms.put_policy(&key, &json!([allow, old])).await;
    kms.clock.advance_millis(3_600_000);
    with.ok(Decrypt, json!({"CiphertextBlob": blob})).await;
    kms.clock.advance_millis(1_000);
    let refused = with.refused(Decrypt, json!({"CiphertextBlob": blob})).await;
    assert!(refused.starts_with("AccessDeniedException"), "{refused}");
}

#[tokio::test]
async fn a_role_can_ask_for_a_second_factor_and_its_session_does_not_have_it() {
    let kms = TestKms::new().await;
    let alice = user(&kms, "alice").await;
    let app = device(&kms, Some("alice"), "phone").await;
    let fresh = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"},
                       "NumericLessThan": {"aws:MultiFactorAuthAge": "300"}});
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT},
                       "Action": "sts:AssumeRole", "Condition": fresh}]});
    let (account, name, path) = (kms.caller.account, "app".to_owned(), "/".to_owned());
    let trust = trust.to_string();
    done(&kms, Command::AddRole { account, name, path, trust, max_session_seconds: 3600 }).await;
    let form = format!("Action=AssumeRole&RoleSessionName=test&RoleArn=arn:aws:iam::{ACCOUNT}:role/app");
    let refused = sts(&kms, &alice, &form).await.unwrap_err();
    assert!(refused.message.contains("is not authorized to perform: sts:AssumeRole"), "{}", refused.message);
    let code = app.code(&kms, 0);
    let xml = sts(&kms, &alice, &format!("{form}{}", app.with(&code))).await.unwrap();
    let again = sts(&kms, &alice, &format!("{form}{}", app.with(&code))).await.unwrap_err();
    assert_eq!(again.message, INVALID_CODE);
    let session = in_session(&kms, &xml);
    assert_eq!(session.caller.session.as_ref().unwrap().mfa, None);
}

#[tokio::test]
async fn the_trail_tells_of_a_second_factor_and_neither_code_nor_key() {
    let kms = TestKms::new().await.with_trail().await;
    let key = kms.create_key().await;
    let alice = user(&kms, "alice").await;
    let reply = add_device(&kms, Some("alice"), "phone").await;
    let Reply::NewMfaDevice { serial_number, key: text, .. } = reply else { panic!("a device: {reply:?}") };
    let text = text.expose();
    let app = App { serial_number, key: from_base32(text) };
    let code = app.code(&kms, 0);
    let with = in_session(&kms, &session_token(&kms, &alice, &app.with(&code)).await.unwrap());
    with.encrypt(&key, b"text").await;
    let without = in_session(&kms, &session_token(&kms, &alice, "").await.unwrap());
    without.encrypt(&key, b"text").await;
    let records = kms.records();
    let of = |name: &str| records.iter().filter(|record| record["eventName"] == name).collect::<Vec<_>>();
    assert_eq!(of("GetSessionToken")[0]["requestParameters"], json!({"serialNumber": app.serial_number}));
    let told =
        |record: &Value| record["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"].clone();
    let encrypted: Vec<_> = of("Encrypt").into_iter().map(told).collect();
    assert_eq!(encrypted, ["true", "false"]);
    let all = serde_json::to_string(&records).unwrap();
    assert!(!all.contains(&format!("\"{code}\"")) && !all.contains(text), "{all}");
    let stored = trent_database::read(&*kms.database, |records| records.identities()).await.unwrap();
    let stored = serde_json::to_string(&stored).unwrap();
    assert!(stored.contains("phone") && !stored.contains(text) && !stored.contains(&base64(&app.key)));
}

#[tokio::test]
async fn devices_belong_to_somebody_and_go_with_them() {
    let kms = TestKms::new().await;
    let problem = |reply: Reply| match reply {
        Reply::Refused { problem } => problem,
        other => panic!("it is done: {other:?}"),
    };
    let told = problem(add_device(&kms, Some("nobody"), "phone").await);
    assert!(told.contains("has no user `nobody`"), "{told}");
    let told = problem(add_device(&kms, None, "a b").await);
    assert!(told.contains("is no name: 1 to 226"), "{told}");
    let alice = user(&kms, "alice").await;
    let app = device(&kms, Some("alice"), "phone").await;
    let told = problem(add_device(&kms, None, "phone").await);
    assert!(told.contains("exists already"), "{told}");
    for number in 1..8 {
        device(&kms, Some("alice"), &format!("phone-{number}")).await;
    }
    let told = problem(add_device(&kms, Some("alice"), "phone-8").await);
    assert!(told.contains("a user may have 8"), "{told}");

    let account = kms.caller.account;
    let name = |kind, name: &str| RecordName { account, kind, name: name.to_owned() };
    done(&kms, Command::DeleteRecord { name: name(Kind::MfaDevice, "phone-7") }).await;
    let root = device(&kms, None, "root-account-mfa-device").await;
    let Reply::MfaDevices { devices } = kms.service.administer(Command::ListMfaDevices {}).await else {
        panic!("devices")
    };
    assert_eq!(devices.len(), 8);
    assert!(devices.iter().all(|line| line.managed == Managed::Database));

    done(&kms, Command::DeleteRecord { name: name(Kind::User, "alice") }).await;
    assert_eq!(kms.service.access_key(&alice).map(|_| ()), None);
    let again = user(&kms, "alice").await;
    assert_eq!(refused(&kms, &again, &app.with(&app.code(&kms, 0))).await, INVALID_DEVICE);
    let key = access_key(&kms, None).await;
    session_token(&kms, &key, &root.with(&root.code(&kms, 0))).await.unwrap();
}

#[tokio::test]
async fn the_file_has_devices_too() {
    let kms = TestKms::new().await;
    // Of RFC 6238 appendix B: `12345678901234567890`.
    const KEY: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let file = |name: &str, key: &str| {
        format!(
            "[[account]]\nid = \"444455556666\"\nname = \"other\"\n[[account.user]]\nname = \"bob\"\n\
             access_key = [{{ id = \"AKIABOBBOBBOBBOBBOBB\", secret = \"a secret\" }}]\n\
             mfa_device = [{{ name = \"{name}\", key = \"{key}\" }}]\n"
        )
    };
    let sources = GivenSources([("bob.totp".to_owned(), format!("{KEY}\n"))].into());
    let configured = parse(&file("bob", "file:bob.totp"), &sources).unwrap();
    kms.service.configure(configured).await.unwrap();
    let serial_number = "arn:aws:iam::444455556666:mfa/bob".to_owned();
    let app = App { serial_number, key: b"12345678901234567890".to_vec() };
    session_token(&kms, "AKIABOBBOBBOBBOBBOBB", &app.with(&app.code(&kms, 0))).await.unwrap();
    let account = "444455556666".parse().unwrap();
    let name = RecordName { account, kind: Kind::MfaDevice, name: "bob".to_owned() };
    let reply = kms.service.administer(Command::DeleteRecord { name }).await;
    assert!(
        matches!(&reply, Reply::Refused { problem } if problem.contains("is in the identity file")),
        "{reply:?}"
    );
    for (name, key, told) in [
        ("a b", KEY, "is no name: 1 to 226"),
        ("bob", "GEZDGNBVGY3TQOJQ", "it is not base 32 of 16 bytes or more"),
        ("bob", "", "it is empty"),
        ("bob", "env:NONE", "NONE"),
    ] {
        let problem = parse(&file(name, key), &NoSources).err().expect("a problem").to_string();
        assert!(problem.contains(told) && problem.starts_with("7:"), "{problem}");
    }
}
