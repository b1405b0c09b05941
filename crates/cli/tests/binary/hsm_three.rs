//! CloudHSM key stores with three HSMs, on tokens of their own and on one token that they share: which are asked, where keys are,
//! and how many are enough.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trent_softhsm::Shim;

use crate::hsm::{CLUSTER, PASSWORD, PATIENCE, World, connect, disconnect, named, start, state};
use crate::hsm_keys::{create_key, once};
use crate::hsm_outages::{returns, wait_for_return};
use crate::support::{Ask, Server, exchange};

const JOBS: &str = "[jobs]\ninterval_seconds = 1\n";
const INVALID: &str = "CloudHsmClusterInvalidConfigurationException";

/// How often each HSM has done an operation.
pub(crate) fn done(server: &Server, operation: &str) -> [u64; 3] {
    let (_, metrics) = exchange(server.ops, "GET", "/metrics", &[("host", b"ops")], b"");
    ["hsm-a", "hsm-b", "hsm-c"].map(|hsm| {
        let labels = format!("cluster=\"{CLUSTER}\",hsm=\"{hsm}\",operation=\"{operation}\",result=\"OK\"");
        let line = format!("trent_hsm_requests_total{{{labels}}} ");
        let found = metrics.lines().find_map(|it| it.strip_prefix(&line));
        found.map_or(0, |number| number.parse().unwrap())
    })
}

/// How often each HSM does an operation in the course of something.
fn done_in(server: &Server, operation: &str, what: impl FnOnce()) -> [u64; 3] {
    let before = done(server, operation);
    what();
    let after = done(server, operation);
    [0, 1, 2].map(|hsm: usize| after[hsm] - before[hsm])
}

/// Three HSMs that a server is connected to.
struct Three<'a> {
    server: &'a Server,
    shim: &'a Shim,
    serials: [&'a str; 3],
    store: String,
}

impl Three<'_> {
    /// Takes these away while something is done, and waits until they are back in use.
    fn without(&self, gone: &[usize], what: impl FnOnce()) {
        let before = self.serials.map(|serial| returns(self.server, serial));
        gone.iter().for_each(|hsm| self.shim.order_token(self.serials[*hsm], "fail e0"));
        what();
        gone.iter().for_each(|hsm| self.shim.revoke_token(self.serials[*hsm]));
        for hsm in gone {
            wait_for_return(self.server, self.serials[*hsm], before[*hsm]);
        }
    }

    fn wanted(&self) -> Value {
        json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": self.store})
    }

    /// How often each is asked for random bytes when three times as many requests are made.
    fn turns(&self, each: usize) -> [u64; 3] {
        done_in(self.server, "random", || {
            let random = json!({"NumberOfBytes": 16, "CustomKeyStoreId": self.store});
            (0..3 * each).for_each(|_| drop(self.server.call("GenerateRandom", &random)));
        })
    }

    #[track_caller]
    fn refuses_keys(&self, status: u16, code: &str) {
        let (told, refused) = self.server.call("CreateKey", &self.wanted());
        assert_eq!((told, &refused["__type"]), (status, &json!(code)), "{}", self.server.log());
    }

    fn key_count(&self) -> usize {
        self.server.ok("ListKeys", &json!({}))["Keys"].as_array().unwrap().len()
    }

    #[track_caller]
    fn encrypts(&self, key: &Value, times: usize) {
        for _ in 0..times {
            let blob = self.server.ok("Encrypt", &json!({"KeyId": key, "Plaintext": "c2VjcmV0"}));
            self.decrypts(&blob["CiphertextBlob"]);
        }
    }

    #[track_caller]
    fn cannot_encrypt(&self, key: &Value, text: &str) {
        let (status, refused) = self.server.call("Encrypt", &json!({"KeyId": key, "Plaintext": "c2VjcmV0"}));
        let told = (status, refused["__type"].as_str().unwrap(), refused["message"].as_str().unwrap());
        assert_eq!(told, (400, "KMSInvalidStateException", text), "{}", self.server.log());
    }

    #[track_caller]
    fn decrypts(&self, blob: &Value) {
        let decrypt = json!({"CiphertextBlob": blob});
        assert_eq!(self.server.ok("Decrypt", &decrypt)["Plaintext"], "c2VjcmV0");
    }
}

#[track_caller]
fn wait(server: &Server, what: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !what() {
        assert!(Instant::now() < until, "{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// All go, and one of them comes back: that is enough to connect.
fn lose_all_and_connect_to_one(three: &Three<'_>, key: &Value) {
    let Three { server, shim, serials, .. } = three;
    three.without(&[0, 1], || {
        shim.order_token(serials[2], "fail e0");
        three.cannot_encrypt(key, "KMS cannot communicate with your CloudHSM cluster");
        three.refuses_keys(400, INVALID);
        assert_eq!(state(server, &three.store), "CONNECTED");
        disconnect(server, &three.store);
        assert_eq!(connect(server, &three.store), "FAILED INSUFFICIENT_CLOUDHSM_HSMS");
        disconnect(server, &three.store);
        // One is enough to connect. The others get its password when they come back.
        shim.revoke_token(serials[2]);
        let changed = done_in(server, "change_pin", || {
            assert_eq!(connect(server, &three.store), "CONNECTED");
        });
        assert_eq!(changed, [0, 0, 1]);
    });
}

/// Whoever takes a key out of the tokens leaves its state alone, and its use as long as one has it.
fn take_out_of_all(world: &World, three: &Three<'_>, key: &Value) {
    let Three { server, .. } = three;
    let shown = || server.ok("DescribeKey", &json!({"KeyId": key}))["KeyMetadata"].take();
    let arn = shown()["Arn"].as_str().unwrap().to_owned();
    for index in 0..3 {
        three.encrypts(key, 3);
        world.tokens.tool_of(index, PASSWORD, &["--delete-object", "--type", "secrkey", "--label", &arn]);
    }
    let text = "The key material of this KMS key cannot be used in your CloudHSM cluster.";
    three.cannot_encrypt(key, text);
    assert_eq!(shown()["KeyState"], "Enabled");
}

#[test]
fn three_tokens_take_turns_and_as_many_as_are_needed_are_enough() {
    let world = World::new(&[Some(PASSWORD); 3]);
    let (shim, data) = (Shim::new(&world.tokens), tempfile::tempdir().unwrap());
    let settings = format!("replication = 'oaep_transfer'\n{JOBS}");
    let (server, store) = world.connected(data.path(), &world.configure(shim.module(), &settings));
    assert_eq!(done(&server, "change_pin"), [1, 1, 1]);
    assert!((0..3).all(|index| !world.tokens.is_pin(index, PASSWORD)));
    let serials = [0, 1, 2].map(|index| world.tokens.serial(index));
    let three = Three { server: &server, shim: &shim, serials, store };
    let key = create_key(&server, &three.wanted())["KeyId"].take();
    let encrypted = done_in(&server, "encrypt", || three.encrypts(&key, 9));
    let decrypted = done(&server, "decrypt");
    // Of one encryption and one decryption after the other, three HSMs do as many of each.
    assert_eq!((encrypted, decrypted, three.turns(3)), ([3; 3], [3; 3], [3; 3]));

    // Each of them has the key, and does alone.
    for keeper in 0..3 {
        let gone: Vec<_> = (0..3).filter(|hsm| *hsm != keeper).collect();
        three.without(&gone, || {
            let done = done_in(&server, "encrypt", || three.encrypts(&key, 3));
            assert_eq!((done[keeper], done.iter().sum::<u64>()), (3, 3));
            three.refuses_keys(400, INVALID);
        });
    }
    // Two are enough for a new key, which the third never gets: the others are asked in its stead.
    let mut second = Value::Null;
    three.without(&[2], || {
        let [_, _, gone] = done_in(&server, "encrypt", || three.encrypts(&key, 6));
        assert_eq!(gone, 0);
        second = create_key(&server, &three.wanted())["KeyId"].take();
        three.without(&[1], || three.encrypts(&second, 3));
    });
    three.encrypts(&second, 6);
    lose_all_and_connect_to_one(&three, &key);
    wait(&server, || done(&server, "change_pin") == [2, 2, 2]);
    create_key(&server, &three.wanted());
    assert_eq!(three.key_count(), 3);
    let store = three.store;
    server.stop();

    // Two that answer are not enough for a key if they are in one zone.
    let config = world.configure(shim.module(), &settings);
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("'hsm-b', availability_zone = 'b'", "'hsm-b', availability_zone = 'a'"),
    )
    .unwrap();
    let server = start(data.path(), &config);
    let three = Three { server: &server, shim: &shim, serials, store };
    create_key(&server, &three.wanted());
    three.without(&[2], || {
        three.encrypts(&key, 3);
        three.refuses_keys(400, INVALID);
    });
    three.without(&[1], || drop(create_key(&server, &three.wanted())));
    // The second is in two, and so is the last.
    let counts = world.objects().into_iter().map(|objects| objects.matches("Secret Key Object").count());
    assert_eq!(counts.collect::<Vec<_>>(), [5, 4, 4]);
    take_out_of_all(&world, &three, &key);
    server.stop();
}

#[test]
fn hsms_that_share_their_keys_have_them_before_they_are_used_and_stand_in_for_each_other() {
    let world = World::new(&[Some(PASSWORD)]);
    let (shim, data) = (Shim::new(&world.tokens), tempfile::tempdir().unwrap());
    let shared = shim.share(&world.tokens, 3);
    let settings = format!("replication = 'shared'\n{JOBS}");
    let (server, store) =
        world.connected(data.path(), &world.configure_hsms(shim.module(), &shared, &settings));
    // They share their users too: the second has the new password from the first.
    assert_eq!(done(&server, "change_pin"), [1, 1, 1]);
    assert!(!world.tokens.is_pin(0, PASSWORD));
    let serials = [0, 1, 2].map(|index: usize| shared[index].as_str());
    let three = Three { server: &server, shim: &shim, serials, store };
    // It takes a while until the second has it.
    shim.order_token(serials[1], "hide 3");
    let key = create_key(&server, &three.wanted())["KeyId"].take();
    shim.revoke_token(serials[1]);
    three.encrypts(&key, 9);
    assert_eq!(three.turns(3), [3; 3]);
    let blob = server.ok("Encrypt", &json!({"KeyId": key, "Plaintext": "c2VjcmV0"}))["CiphertextBlob"].take();
    for gone in [[0, 1], [1, 2], [2, 0]] {
        three.without(&gone, || {
            three.decrypts(&blob);
            three.refuses_keys(400, INVALID);
        });
    }
    // With one away a key is made; it is in that too, when it is back.
    let mut second = Value::Null;
    three.without(&[0], || second = create_key(&server, &three.wanted())["KeyId"].take());
    three.without(&[1, 2], || three.encrypts(&second, 3));

    // One has the key never, and so nobody is to have it.
    shim.order_token(serials[2], "hide");
    three.refuses_keys(500, "DependencyTimeoutException");
    shim.revoke_token(serials[2]);
    assert_eq!(three.key_count(), 2);

    // The module crashes, and everybody is logged in to with the password that came from another.
    shim.order("C_DecryptInit", "crash");
    assert_eq!(server.call("Decrypt", &json!({"CiphertextBlob": blob})).0, 400);
    shim.revoke("C_DecryptInit");
    once(&server, "Decrypt", &json!({"CiphertextBlob": blob}));
    wait(&server, || three.turns(1) == [1; 3]);
    three.decrypts(&blob);
    // And again from the start.
    disconnect(&server, &three.store);
    assert_eq!(connect(&server, &three.store), "CONNECTED");
    three.decrypts(&blob);
    assert_eq!(server.call("DeleteCustomKeyStore", &named(&three.store)).0, 400);
    server.stop();
    let [objects] = &world.objects()[..] else { panic!("there is one token") };
    let access = "sensitive, always sensitive, never extractable, local";
    assert_eq!(
        [objects.matches("AES length 32").count(), objects.matches(access).count()],
        [2; 2],
        "{objects}"
    );
}
