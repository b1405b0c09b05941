//! Error codes: those of the model, and those every operation can answer.

use super::model::Model;
use super::names;

pub(super) fn generate(model: &Model) -> String {
    let codes = codes(model);
    let variants: String = codes
        .iter()
        .map(|code| format!("/// `{0}`, HTTP {1}.\n{2},\n", code.name, code.status, code.variant))
        .collect();
    let all: String = codes.iter().map(|code| format!("Self::{},\n", code.variant)).collect();
    let names: String =
        codes.iter().map(|code| format!("Self::{} => {:?},\n", code.variant, code.name)).collect();
    let unusual: String = codes.iter().filter(|code| code.status != 400).map(status_arm).collect();
    format!(
        "//! Error codes of the API.

        use std::fmt;

        /// The code of an error, as `__type` has it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {{ {variants} }}

        impl ErrorCode {{
            /// All codes: first those of the model, then those of the service framework.
            pub const ALL: [Self; {count}] = [{all}];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {{
                match self {{ {names} }}
            }}

            /// The HTTP status. Nearly everything is 400; 500 makes clients try again.
            pub const fn http_status(self) -> u16 {{
                match self {{ {unusual} _ => 400 }}
            }}
        }}

        impl fmt::Display for ErrorCode {{
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
                f.pad(self.name())
            }}
        }}
        ",
        count = codes.len(),
    )
}

struct Code<'m> {
    name: &'m str,
    variant: String,
    status: u16,
}

fn codes(model: &Model) -> Vec<Code<'_>> {
    let modelled =
        model.exceptions.0.iter().map(|(name, exception)| (name, if exception.fault { 500 } else { 400 }));
    let common = model.common_exceptions.0.iter().map(|(name, exception)| (name, exception.status));
    modelled
        .chain(common)
        .map(|(name, status)| Code { name, variant: names::error_variant(name), status })
        .collect()
}

fn status_arm(code: &Code<'_>) -> String {
    format!("Self::{} => {},\n", code.variant, code.status)
}
