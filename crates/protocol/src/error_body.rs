//! The body of an error. Which status and headers go with it is the server's business.

use crate::encode::{Encode, Object, Sink, encode_exactly};
use crate::generated::error_code::ErrorCode;

/// The JSON of an error: the code as `__type` and, if there is one, the text.
///
/// The text is in `message`, but for denied access in `Message`: the service has always been so, and clients read
/// both. An error without text has only `__type`.
pub fn error_body(code: ErrorCode, message: Option<&str>) -> Vec<u8> {
    encode_exactly(&ErrorBody { code, message: message.filter(|text| !text.is_empty()).map(str::to_owned) })
}

struct ErrorBody {
    code: ErrorCode,
    message: Option<String>,
}

impl Encode for ErrorBody {
    fn encode_into(&self, out: &mut impl Sink) {
        let member = if self.code == ErrorCode::AccessDenied { "Message" } else { "message" };
        let mut object = Object::open(out);
        object.member("__type", &self.code.name().to_owned());
        object.optional(member, self.message.as_ref());
        object.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_in_message_or_capital_message_or_absent() {
        for (code, message, body) in [
            (ErrorCode::NotFound, Some("no \"k\""), r#"{"__type":"NotFoundException","message":"no \"k\""}"#),
            (ErrorCode::AccessDenied, Some("no"), r#"{"__type":"AccessDeniedException","Message":"no"}"#),
            (ErrorCode::InvalidCiphertext, None, r#"{"__type":"InvalidCiphertextException"}"#),
            (ErrorCode::Serialization, Some(""), r#"{"__type":"SerializationException"}"#),
        ] {
            assert_eq!(String::from_utf8(error_body(code, message)).unwrap(), body);
        }
    }

    #[test]
    fn only_faults_and_oversized_bodies_are_not_400() {
        let other: Vec<_> = ErrorCode::ALL.into_iter().filter(|code| code.http_status() != 400).collect();
        assert_eq!(
            other.iter().map(|code| (code.name(), code.http_status())).collect::<Vec<_>>(),
            [
                ("DependencyTimeoutException", 500),
                ("KMSInternalException", 500),
                ("KeyUnavailableException", 500),
                ("RequestEntityTooLargeException", 413),
            ]
        );
    }
}
