//! Finding records in the files of a trail. They are read as they are; whether they are as they were written is
//! `verify`'s question.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use crate::files::list;

/// What is looked for. A record has to fit all that is given.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The id of a request or of an event.
    pub id: Option<String>,
    /// A key or an alias: its ARN, or the last part of it.
    pub key: Option<String>,
    /// Who did it: ARN, user name, access key id or principal id.
    pub principal: Option<String>,
    /// The name of the event.
    pub event: Option<String>,
    /// The error code.
    pub error: Option<String>,
    /// The first time that counts, or its beginning, such as `2026-01-31`.
    pub since: Option<String>,
    /// The last time that counts, or its beginning.
    pub until: Option<String>,
}

/// Gives the records that fit, in their order, as they stand in the files.
///
/// # Errors
/// The files cannot be read, or `found` fails.
pub fn find(dir: &Path, query: &Query, mut found: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    for file in list(dir)? {
        let (mut reader, mut line) = (BufReader::new(File::open(&file.path)?), Vec::new());
        while reader.read_until(b'\n', &mut line)? > 0 {
            let record = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice(line).ok());
            if record.is_some_and(|record| query.fits(&record)) {
                found(&line)?;
            }
            line.clear();
        }
    }
    Ok(())
}

impl Query {
    fn fits(&self, record: &Value) -> bool {
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        let time = text("eventTime");
        let begins = |limit: &str| time.get(..limit.len()).unwrap_or(time);
        wanted(&self.id, |id| text("requestID") == id || text("eventID") == id)
            && wanted(&self.event, |event| text("eventName") == event)
            && wanted(&self.error, |error| text("errorCode") == error)
            && wanted(&self.since, |since| time >= since)
            && wanted(&self.until, |until| begins(until) <= until)
            && wanted(&self.principal, |principal| names(record.get("userIdentity"), principal))
            && wanted(&self.key, |key| is_about(record, key))
    }
}

fn wanted(given: &Option<String>, fits: impl FnOnce(&str) -> bool) -> bool {
    given.as_deref().is_none_or(fits)
}

fn names(identity: Option<&Value>, principal: &str) -> bool {
    let member = |name: &str| identity.and_then(|identity| identity.get(name)).and_then(Value::as_str);
    ["arn", "userName", "accessKeyId", "principalId", "invokedBy"]
        .into_iter()
        .any(|name| member(name) == Some(principal))
}

fn is_about(record: &Value, key: &str) -> bool {
    let resources = record.get("resources").and_then(Value::as_array).into_iter().flatten();
    let mut arns = resources.filter_map(|resource| resource.get("ARN").and_then(Value::as_str));
    let is_named = |arn: &str| {
        arn == key
            || arn.split_once("key/").is_some_and(|(_, id)| id == key)
            || arn.rsplit(':').next() == Some(key)
    };
    let asked = record.get("requestParameters");
    let mut asked = ["keyId", "targetKeyId", "aliasName", "sourceKeyId", "destinationKeyId"]
        .into_iter()
        .filter_map(|name| asked.and_then(|asked| asked.get(name)).and_then(Value::as_str));
    arns.any(is_named) || asked.any(is_named)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_has_to_fit_all_that_is_given() {
        let record = json!({
            "eventTime": "2026-01-31T10:00:00Z", "eventName": "Encrypt", "requestID": "r", "eventID": "e",
            "userIdentity": {"arn": "arn:aws:iam::1:user/a", "userName": "a"},
            "resources": [{"ARN": "arn:aws:kms:eu-west-1:1:key/k"}], "errorCode": "AccessDenied",
        });
        let fits = |change: fn(&mut Query)| {
            let mut query = Query::default();
            change(&mut query);
            query.fits(&record)
        };
        assert!(fits(|_| {}));
        assert!(fits(|query| query.id = Some("r".into())));
        assert!(fits(|query| query.id = Some("e".into())));
        assert!(fits(|query| query.key = Some("k".into())));
        assert!(fits(|query| query.key = Some("arn:aws:kms:eu-west-1:1:key/k".into())));
        assert!(fits(|query| query.principal = Some("a".into())));
        assert!(fits(|query| query.since = Some("2026-01-31".into())));
        assert!(fits(|query| query.until = Some("2026-01-31".into())));
        assert!(!fits(|query| query.until = Some("2026-01-30".into())));
        assert!(!fits(|query| query.since = Some("2026-01-31T10:00:01".into())));
        assert!(!fits(|query| query.key = Some("other".into())));
        assert!(!fits(|query| query.event = Some("Decrypt".into())));
        assert!(!fits(|query| {
            query.id = Some("r".into());
            query.error = Some("Other".into());
        }));
    }
}
