//! Commands of operators, as they are recorded: whatever they are made of, without what may be a secret.

use serde::Serialize;
use serde_json::Value;

/// What stands in place of a secret.
const HIDDEN: &str = "HIDDEN";
/// Members whose names have one of these are secrets.
const SECRETS: [&str; 5] = ["secret", "password", "passphrase", "token", "private"];

/// Name and members of a command that is an object with its name in `command`: `add-user` is recorded as `AddUser`.
pub fn command(command: &impl Serialize) -> (String, Vec<u8>) {
    let Ok(Value::Object(mut members)) = serde_json::to_value(command) else {
        return ("Unknown".to_owned(), Vec::new());
    };
    let name = members.remove("command");
    let name = name.as_ref().and_then(Value::as_str).unwrap_or("unknown").split('-').map(capital).collect();
    let mut members = Value::Object(members);
    hide(&mut members);
    (name, members.to_string().into_bytes())
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                let name = name.to_ascii_lowercase();
                if SECRETS.iter().any(|secret| name.contains(secret)) {
                    *value = HIDDEN.into();
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_of_commands_are_hidden_wherever_they_stand() {
        let given = json!({"command": "add-user", "name": "a", "Secret": "x",
            "more": [{"api_token": {"value": "x"}, "id": 1}]});
        let (name, members) = command(&given);
        assert_eq!(name, "AddUser");
        let expected = json!({"name": "a", "Secret": "HIDDEN", "more": [{"api_token": "HIDDEN", "id": 1}]});
        assert_eq!(serde_json::from_slice::<Value>(&members).unwrap(), expected);
    }
}
