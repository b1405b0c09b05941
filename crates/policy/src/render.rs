//! Documents as text again, laid out as KMS returns them: ` : ` between name and value, objects over
//! several lines, lists on one.

use serde_json::Value;

use crate::document::Document;
use crate::json::Json;

impl Document {
    /// The document as KMS shows it: members in the order given, layout its own.
    pub fn render(&self) -> String {
        rendered(self.source())
    }

    /// The document with its AWS principals under other names; `rename` returns `None` to keep one.
    ///
    /// A stored policy names users and roles by unique ID, so that a new user of an old name does not
    /// inherit their access, while whoever reads it back sees ARNs. This goes both ways.
    pub fn render_with_principals(&self, rename: &dyn Fn(&str) -> Option<String>) -> String {
        let mut source = self.source().clone();
        rename_in_document(&mut source, rename);
        rendered(&source)
    }
}

/// The policy of a key that was created without one: everything is left to the account's own policies.
pub fn default_key_policy(partition: &str, account: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:{partition}:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}

/// The policy of a key that is managed on behalf of a service: the account may leave its use to whom it likes, and nobody
/// may change the key.
pub fn managed_key_policy(partition: &str, account: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "auto-managed",
  "Statement" : [ {{
    "Sid" : "Allow use of the key and access to its metadata",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:{partition}:iam::{account}:root"
    }},
    "Action" : [ "kms:Decrypt", "kms:Describe*", "kms:Encrypt", "kms:GenerateDataKey*", "kms:Get*", "kms:List*", "kms:ReEncrypt*" ],
    "Resource" : "*"
  }} ]
}}"#
    )
}

fn rendered(source: &Json) -> String {
    let mut out = String::new();
    write(source, 0, &mut out);
    out
}

fn write(json: &Json, depth: usize, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => out.push_str(&number.to_string()),
        Json::Text(text) => write_text(text, out),
        Json::List(items) => write_list(items, depth, out),
        Json::Object(members) => write_object(members, depth, out),
    }
}

fn write_list(items: &[Json], depth: usize, out: &mut String) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { " " } else { ", " });
        write(item, depth, out);
    }
    out.push_str(" ]");
}

fn write_object(members: &[(String, Json)], depth: usize, out: &mut String) {
    if members.is_empty() {
        return out.push_str("{ }");
    }
    out.push('{');
    for (index, (name, value)) in members.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        new_line(depth + 1, out);
        write_text(name, out);
        out.push_str(" : ");
        write(value, depth + 1, out);
    }
    new_line(depth, out);
    out.push('}');
}

fn new_line(depth: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&Value::from(text).to_string());
}

fn rename_in_document(source: &mut Json, rename: &dyn Fn(&str) -> Option<String>) {
    for statements in members_named(source, &["Statement"]) {
        for statement in items(statements) {
            for principals in members_named(statement, &["Principal", "NotPrincipal"]) {
                for names in members_named(principals, &["AWS"]) {
                    items(names).iter_mut().for_each(|name| rename_text(name, rename));
                }
            }
        }
    }
}

fn rename_text(name: &mut Json, rename: &dyn Fn(&str) -> Option<String>) {
    if let Json::Text(text) = name
        && let Some(other) = rename(text)
    {
        *text = other;
    }
}

fn members_named<'j>(json: &'j mut Json, names: &'j [&str]) -> impl Iterator<Item = &'j mut Json> {
    let members: &mut [(String, Json)] = match json {
        Json::Object(members) => members,
        _ => &mut [],
    };
    members.iter_mut().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, json)| json)
}

fn items(json: &mut Json) -> &mut [Json] {
    match json {
        Json::List(items) => items,
        single => std::slice::from_mut(single),
    }
}
