//! The managed policies that every deployment has, under the names that configuration and ARNs give them.

use std::sync::{Arc, LazyLock};

use crate::document::{Document, Kind};
use crate::standing::Attached;

/// Name after `aws:`, and text. What AWS's policies of these names say about other services is left out.
const POLICIES: [(&str, &str); 4] = [
    (
        "AdministratorAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "FullAWSAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "ReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Describe*","kms:Get*","kms:List*",
        "iam:Get*","iam:List*","sts:GetAccessKeyInfo","sts:GetCallerIdentity"],"Resource":"*"}]}"#,
    ),
    (
        "AWSKeyManagementServicePowerUser",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:CreateAlias","kms:CreateKey",
        "kms:DeleteAlias","kms:Describe*","kms:GenerateRandom","kms:Get*","kms:List*","kms:TagResource",
        "kms:UntagResource","iam:ListGroups","iam:ListRoles","iam:ListUsers"],"Resource":"*"}]}"#,
    ),
];

static COMPILED: LazyLock<Vec<(&str, Attached)>> = LazyLock::new(|| {
    let compiled = POLICIES.iter().filter_map(|(name, text)| {
        let document = Arc::new(Document::parse(text, Kind::Identity).ok()?);
        Some((*name, Attached { name: format!("arn:aws:iam::aws:policy/{name}").into(), document }))
    });
    compiled.collect()
});

/// The managed policy called `aws:<name>` or `arn:<partition>:iam::aws:policy/<name>`, if there is one.
pub fn managed_policy(name: &str) -> Option<&'static Attached> {
    let is_own = |prefix: &str| prefix.starts_with("arn:") && prefix.ends_with(":iam::aws");
    let short = match name.strip_prefix("aws:") {
        Some(short) => short,
        None => name.split_once(":policy/").filter(|(prefix, _)| is_own(prefix))?.1,
    };
    COMPILED.iter().find(|(own, _)| *own == short).map(|(_, attached)| attached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_compile_and_are_found_by_both_names() {
        for (name, _) in POLICIES {
            let by_name = managed_policy(&format!("aws:{name}")).unwrap();
            let by_arn = managed_policy(&format!("arn:aws-cn:iam::aws:policy/{name}")).unwrap();
            assert!(std::ptr::eq(by_name, by_arn), "{name}");
        }
        for other in
            ["AdministratorAccess", "aws:Other", "arn:aws:iam::111122223333:policy/ReadOnlyAccess", ""]
        {
            assert!(managed_policy(other).is_none(), "{other}");
        }
    }
}
