//! The table of operations, and for each operation a file with its request and response.

use super::model::{Model, Operation};
use super::names;
use super::structures::{Direction, definition, raw_name, reading, writing};

/// `operation.rs`.
pub(super) fn table(model: &Model) -> String {
    let names: Vec<&String> = model.operations.0.iter().map(|(name, _)| name).collect();
    let each = |line: &dyn Fn(&str) -> String| -> String { names.iter().map(|name| line(name)).collect() };
    let variants = each(&|name| format!("/// `{name}`.\n{name},\n"));
    let all = each(&|name| format!("Self::{name},\n"));
    let to_name = each(&|name| format!("Self::{name} => {name:?},\n"));
    let from_name = each(&|name| format!("{name:?} => Self::{name},\n"));
    let checks =
        each(&|name| format!("Self::{name} => super::operations::{name}Request::decode(body).map(drop),\n"));
    let errors: String = model.operations.0.iter().map(errors_arm).collect();
    format!(
        "//! The operations of the API.

        use std::fmt;

        use super::error_code::ErrorCode;
        use crate::request::{{DecodeError, Request}};

        /// An operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {{ {variants} }}

        impl Operation {{
            /// All operations, in alphabetical order.
            pub const ALL: [Self; {count}] = [{all}];

            /// The name, as in `X-Amz-Target` and in policies.
            pub const fn name(self) -> &'static str {{
                match self {{ {to_name} }}
            }}

            /// The operation of an `X-Amz-Target` header: `{service}.Encrypt`.
            pub fn from_target(target: &str) -> Option<Self> {{
                Self::from_name(target.strip_prefix(\"{service}.\")?)
            }}

            /// The operation of that name: `Encrypt`.
            pub fn from_name(name: &str) -> Option<Self> {{
                Some(match name {{ {from_name} _ => return None, }})
            }}

            /// The errors the model lists for it. Those of the framework (access denied, throttling, …) come on top.
            pub const fn errors(self) -> &'static [ErrorCode] {{
                match self {{ {errors} }}
            }}

            /// Decodes a body as the request of this operation, only to see whether it is one.
            pub fn check_body(self, body: &[u8]) -> Result<(), DecodeError> {{
                match self {{ {checks} }}
            }}
        }}

        impl fmt::Display for Operation {{
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
                f.pad(self.name())
            }}
        }}
        ",
        count = names.len(),
        service = model.service,
    )
}

fn errors_arm((name, operation): &(String, Operation)) -> String {
    let codes: String = operation
        .errors
        .iter()
        .map(|error| format!("ErrorCode::{},\n", names::error_variant(error)))
        .collect();
    format!("Self::{name} => &[{codes}],\n")
}

/// `operations/mod.rs`.
pub(super) fn modules(model: &Model) -> String {
    let mut modules = String::new();
    let mut exports = String::new();
    for (name, operation) in &model.operations.0 {
        let module = names::snake(name);
        modules += &format!("mod {module};\n");
        exports += &match operation.output {
            Some(_) => format!("pub use {module}::{{{name}Request, {name}Response}};\n"),
            None => format!("pub use {module}::{name}Request;\n"),
        };
    }
    format!("//! Requests and responses, a file for each operation.\n\n{modules}\n{exports}")
}

/// The file of one operation.
pub(super) fn shapes(model: &Model, name: &str, operation: &Operation) -> anyhow::Result<String> {
    let request = format!("{name}Request");
    let doc = format!("Request of `{name}`.");
    let mut text =
        format!("//! `{name}`: what is asked, what is answered.\n\nuse crate::generated::prelude::*;\n\n");
    text += &definition(model, &request, &doc, &operation.input, Direction::In)?;
    text += &request_impl(model, name, operation)?;
    text += &reading(model, &request, &operation.input)?;
    if let Some(output) = &operation.output {
        let response = format!("{name}Response");
        text += &definition(model, &response, &format!("Response of `{name}`."), output, Direction::Out)?;
        text += &format!(
            "impl Response for {response} {{
                fn encode(&self) -> Vec<u8> {{ encode_exactly(self) }}
            }}\n\n"
        );
        text += &writing(model, &response, output)?;
    }
    Ok(text)
}

fn request_impl(model: &Model, name: &str, operation: &Operation) -> anyhow::Result<String> {
    let response = if operation.output.is_some() { format!("{name}Response") } else { "NoOutput".to_owned() };
    let raw = raw_name(model, &format!("{name}Request"), &operation.input)?.replace("'a", "'_");
    Ok(format!(
        "impl Request for {name}Request {{
            const OPERATION: Operation = Operation::{name};
            type Response = {response};

            fn decode_with(body: &[u8], offered: Offer) -> Result<Self, DecodeError> {{ decode::<{raw}>(body, offered) }}
        }}\n\n"
    ))
}
