//! Notifications in the form of EventBridge, made of the records that tell of the same.

use serde::Serialize;
use serde_json::Value;

/// The events that are told of, and as what.
const KINDS: [(&str, &str); 3] = [
    ("RotateKey", "KMS CMK Rotation"),
    ("DeleteExpiredKeyMaterial", "KMS Imported Key Material Expiration"),
    ("DeleteKey", "KMS CMK Deletion"),
];

#[derive(Serialize)]
struct Notification<'a> {
    version: &'a str,
    id: &'a str,
    #[serde(rename = "detail-type")]
    kind: &'a str,
    source: &'a str,
    account: &'a str,
    time: &'a str,
    region: &'a str,
    resources: [&'a str; 1],
    detail: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(rename = "key-id")]
    key_id: &'a str,
}

/// The notifications among lines of a trail, as lines of JSON; and how many they are. The id of each is that of the record:
/// whoever gets one twice can tell.
pub fn notifications(lines: &[u8]) -> (Vec<u8>, u64) {
    let (mut out, mut count) = (Vec::new(), 0);
    for line in lines.split(|&byte| byte == b'\n') {
        if may_be_one(line)
            && let Ok(record) = serde_json::from_slice(line)
            && let Some(json) = notification(&record)
        {
            out.extend(json);
            out.push(b'\n');
            count += 1;
        }
    }
    (out, count)
}

/// Whether it is worth reading: most records are of calls.
fn may_be_one(line: &[u8]) -> bool {
    const KIND: &[u8] = b"AwsServiceEvent";
    line.windows(KIND.len()).any(|window| window == KIND)
}

fn notification(record: &Value) -> Option<Vec<u8>> {
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let ours =
        text("eventSource") == Some("kms.amazonaws.com") && text("eventType") == Some("AwsServiceEvent");
    let name = text("eventName").filter(|_| ours)?;
    let (_, kind) = KINDS.into_iter().find(|(own, _)| *own == name)?;
    let arn = record.pointer("/resources/0/ARN").and_then(Value::as_str)?;
    let key_id = arn.rsplit('/').next()?;
    let notification = Notification {
        version: "0",
        id: text("eventID")?,
        kind,
        source: "aws.kms",
        account: arn.split(':').nth(4)?,
        time: text("eventTime")?,
        region: text("awsRegion")?,
        resources: [arn],
        detail: Detail { key_id },
    };
    serde_json::to_vec(&notification).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(name: &str, kind: &str, source: &str) -> Value {
        json!({
            "eventName": name, "eventType": kind, "eventSource": source, "eventID": "e1",
            "eventTime": "2026-01-01T00:00:00Z", "awsRegion": "us-west-2",
            "resources": [{"ARN": "arn:aws:kms:us-west-2:111122223333:key/k1"}],
        })
    }

    #[test]
    fn deletions_rotations_and_expiries_are_told_of_and_nothing_else() {
        let kms = "kms.amazonaws.com";
        let records = [
            record("Decrypt", "AwsApiCall", kms),
            record("DeleteKey", "AwsServiceEvent", kms),
            record("DeleteKey", "AwsApiCall", kms),
            record("DeleteKey", "AwsServiceEvent", "trent.audit"),
            record("RotateKey", "AwsServiceEvent", kms),
            json!({"eventName": "Decrypt", "requestParameters": {"keyId": "AwsServiceEvent"}}),
            record("DeleteExpiredKeyMaterial", "AwsServiceEvent", kms),
            record("AuditStarted", "AwsServiceEvent", "trent.audit"),
        ];
        let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
        let (told, count) = notifications(format!("{lines}no JSON, AwsServiceEvent\n").as_bytes());
        let told: Vec<Value> =
            str::from_utf8(&told).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<_> = told.iter().map(|told| told["detail-type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["KMS CMK Deletion", "KMS CMK Rotation", "KMS Imported Key Material Expiration"]);
        assert_eq!(count, 3);
        assert_eq!(
            told[0],
            json!({
                "version": "0", "id": "e1", "detail-type": "KMS CMK Deletion", "source": "aws.kms",
                "account": "111122223333", "time": "2026-01-01T00:00:00Z", "region": "us-west-2",
                "resources": ["arn:aws:kms:us-west-2:111122223333:key/k1"], "detail": {"key-id": "k1"},
            })
        );
    }
}
