//! What seed files say, and what they are told.

use trent_domain::time::Timestamp;

use super::*;

fn defaults() -> Defaults {
    Defaults { account: "000000000000".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

fn read(text: &str) -> Result<Vec<SeedKey>, String> {
    let keys = parse(text, defaults())
        .map_err(|Wrong { place, problem }| format!("{}:{}: {problem}", place.line, place.column))?;
    Ok(keys.into_iter().map(|described| described.key).collect())
}

const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

#[test]
fn a_key_has_what_the_file_says_and_defaults_for_the_rest() {
    let keys = read(
        "region: eu-west-1\n\
         keys:\n\
         - id: 1234abcd-12ab-34cd-56ef-1234567890ab\n\
         - id: mrk-1234abcd12ab34cd56ef1234567890ab\n  \
           account: '444455556666'\n  \
           region: us-west-2\n  \
           replicas: [eu-north-1]\n  \
           spec: HMAC_256\n  \
           usage: GENERATE_VERIFY_MAC\n  \
           state: Disabled\n  \
           description: words\n  \
           tags: {team: a}\n  \
           aliases: [alias/a, alias/b]\n  \
           material: {hex: '0001 fF'}\n  \
           policy: {Version: '2012-10-17', Statement: []}\n",
    )
    .unwrap();
    let [plain, full] = keys.as_slice() else { panic!("two keys") };
    assert_eq!(
        (plain.region.as_str(), plain.account.as_str(), plain.enabled),
        ("eu-west-1", "000000000000", true)
    );
    assert_eq!(
        (plain.spec, plain.origin),
        (trent_protocol::KeySpec::SymmetricDefault, trent_protocol::Origin::AwsKms)
    );
    assert_eq!(
        (full.region.as_str(), full.account.as_str(), full.enabled),
        ("us-west-2", "444455556666", false)
    );
    assert_eq!(full.materials[0].expose(), &[0, 1, 255]);
    assert_eq!(full.aliases, ["alias/a", "alias/b"]);
    assert_eq!(full.policy.as_deref(), Some("{\"Statement\":[],\"Version\":\"2012-10-17\"}"));
    assert_eq!(full.replicas.len(), 1);
}

#[test]
fn json_is_read_too() {
    let keys =
        read(&format!("{{\"keys\": [{{\"id\": \"{ID}\", \"materials\": [{{\"base64\": \"AAH/\"}}]}}]}}"))
            .unwrap();
    assert_eq!(keys[0].materials[0].expose(), &[0, 1, 255]);
}

#[test]
fn what_is_wrong_is_told_with_line_and_column() {
    for (text, expected) in [
        (format!("keys:\n- id: {ID}\n  spek: x\n"), "3:3: unknown field"),
        (format!("keys:\n- id: {ID}\n  spec: AES\n"), "3:9: `AES` is none of RSA_2048, "),
        ("keys:\n- id: 12\n".to_owned(), "2:7: `12` is no key id"),
        (format!("keys:\n- id: {ID}\n  material: {{hex: 0g}}\n"), "3:13: these are no hexadecimal digits"),
        (format!("keys:\n- id: {ID}\n  material: {{pem: secret}}\n"), "3:13: this is no PEM"),
        (
            format!("keys:\n- id: {ID}\n  origin: AWS_CLOUDHSM\n"),
            "3:11: `AWS_CLOUDHSM` is none of AWS_KMS, EXTERNAL",
        ),
        (format!("keys:\n- id: {ID}\n  state: off\n"), "3:10: `off` is none of Enabled, Disabled"),
        (format!("keys:\n- id: {ID}\n  region: \"a\\nb\"\n"), "3:11: `a b` is no Region name"),
        ("keys: [\n".to_owned(), ""),
        ("keyz: []\n".to_owned(), "1:1: unknown field"),
        ("Keys:\n  Symmetric:\n    Aes:\n    - Metadata: {Description: x}\n".to_owned(), ""),
        (
            format!("Keys: {{}}\nAliases:\n- AliasName: alias/a\n  TargetKeyId: {ID}\n"),
            "4:16: no key of this file",
        ),
    ] {
        let told = read(&text).err().unwrap_or_else(|| panic!("{text}"));
        assert!(told.starts_with(expected), "{text}: {told}");
        assert!(!told.contains('\n') && !told.contains("secret"), "{told}");
    }
}

#[test]
fn files_of_local_kms_are_read_as_they_are() {
    let first = "
Keys:
  Symmetric:
    Aes:
      - Metadata:
          KeyId: bc436485-5092-42b8-92a3-0aa8b93536dc
          Description: words
        NextKeyRotation: '2019-09-12T15:19:21+00:00'
        BackingKeys:
          - 34743777217A25432A46294A404E635266556A586E3272357538782F413F4428
          - 614E645267556B58703273357638792F423F4528472B4B6250655368566D5971
      - Metadata: {KeyId: 5d05267f-bb87-4d0b-8594-295a4371d414, Origin: EXTERNAL}
Aliases:
  - AliasName: alias/testing
    TargetKeyId: bc436485-5092-42b8-92a3-0aa8b93536dc
";
    let keys = read(first).unwrap();
    assert_eq!(keys[0].materials.len(), 2);
    assert_eq!((keys[0].description.as_str(), keys[0].aliases[0].as_str()), ("words", "alias/testing"));
    assert_eq!(keys[0].next_rotation, Some(Timestamp::from_millis(1_568_301_561_000)));
    assert_eq!(keys[1].origin, trent_protocol::Origin::External);
    let second = "
Version: 2
Keys:
  - KeyId: bc436485-5092-42b8-92a3-0aa8b93536dc
    Metadata: {KeySpec: HMAC_256}
    Material: {BackingKeys: [3474]}
";
    assert_eq!(read(second).unwrap()[0].spec, trent_protocol::KeySpec::Hmac256);
}

#[test]
fn no_file_is_too_strange() {
    let file = format!(
        "region: eu-west-1\nkeys:\n- id: {ID}\n  tags: {{a: b}}\n  aliases: [alias/a]\n  materials:\n  - hex: 0001\n  \
         - pem: |\n      -----BEGIN EC PRIVATE KEY-----\n      AAAA\n      -----END EC PRIVATE KEY-----\n"
    );
    for at in 0..file.len() {
        let _ = read(&file[..at]);
        for byte in [b' ', b'\n', b':', b'-', b'[', b'{', b'&', b'*', b'!', b'|', b'\'', b'0', 0] {
            let mut altered = file.clone().into_bytes();
            altered[at] = byte;
            let _ = read(&String::from_utf8(altered).unwrap());
        }
    }
    // Aliases that multiply, and depth, are bounded by the parser.
    let bomb = (1..30).fold("a0: &a0 [x]\n".to_owned(), |text, level| {
        let below = format!("*a{}, ", level - 1).repeat(9);
        format!("{text}a{level}: &a{level} [{below}]\n")
    });
    assert!(read(&bomb).is_err());
    assert!(read(&"[".repeat(100_000)).is_err());
}
