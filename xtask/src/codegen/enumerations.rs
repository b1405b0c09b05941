//! Enumerations: calls of the hand-written macro `wire_enum!`.

use super::model::{Enumeration, Model};
use super::names;

pub(super) fn generate(model: &Model) -> String {
    let all: String = model.enumerations.0.iter().map(|(name, values)| enumeration(name, values)).collect();
    format!(
        "//! Enumerations of the API. Stored records spell their values as the wire does.
        #![allow(clippy::enum_variant_names, reason = \"the variants are the values of the API\")]

        use crate::wire_enum::wire_enum;
        {all}"
    )
}

/// rustfmt leaves the body of a macro call alone, so it is laid out here.
fn enumeration(name: &str, enumeration: &Enumeration) -> String {
    let line = |value: &String| format!("        {} = {value:?},\n", names::variant(value));
    let values: String = enumeration.values.iter().map(line).collect();
    let cn: Vec<String> = enumeration.only_aws_cn.iter().map(|value| names::variant(value)).collect();
    let cn = if cn.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", cn.join(" ")) };
    format!(
        "\nwire_enum! {{\n    /// Values of `{name}`.\n    {name} [{}] {{\n{values}    }} aws_cn {cn}\n}}\n",
        enumeration.values.len()
    )
}
