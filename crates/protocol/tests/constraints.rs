//! Every constraint of every operation, at and around its boundary.
//!
//! The expected texts are derived from `model/kms.json` by a second, simple implementation: patterns all go through
//! a regex engine here, and nothing is generated.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at surprises"
)]

mod model;

use std::cell::RefCell;
use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{Model, Structure, Value as Shape};
use regex_lite::Regex;
use serde_json::{Map, Value, json};
use trent_protocol::{DecodeError, Operation};

#[test]
fn the_model_lists_exactly_the_operations() {
    let names: Vec<&str> = Model::read().operations.0.leak().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, Operation::ALL.map(Operation::name));
}

#[test]
fn an_empty_object_misses_every_required_member() {
    for_each_operation(|case| case.expect(&Map::new()));
}

#[test]
fn valid_requests_with_and_without_optional_members_decode() {
    for_each_operation(|case| {
        let full = case.model.valid(&case.members);
        let required: Map<_, _> =
            full.clone().into_iter().filter(|(name, _)| case.is_required(name)).collect();
        for body in [full, required] {
            assert_eq!(case.decode(&body), Ok(()), "{}: {body:?}", case.operation);
        }
    });
}

#[test]
fn every_boundary_of_every_member_is_kept() {
    let mut tried = 0;
    for_each_operation(|case| {
        for (name, shape) in &case.members.0 {
            for value in case.model.variants(bare(shape)) {
                let mut body = case.model.valid(&case.members);
                body.insert(name.clone(), value);
                case.expect(&body);
                tried += 1;
            }
        }
    });
    assert!(tried > 2000, "only {tried} variants tried");
}

#[test]
fn a_member_of_another_json_type_is_no_request() {
    for_each_operation(|case| {
        for (name, shape) in &case.members.0 {
            for value in case.model.mistyped(bare(shape)) {
                let mut body = case.model.valid(&case.members);
                body.insert(name.clone(), value);
                assert_eq!(
                    case.decode(&body),
                    Err(DecodeError::Serialization),
                    "{}: {body:?}",
                    case.operation
                );
            }
        }
    });
}

#[test]
fn null_is_absent() {
    for_each_operation(|case| {
        for (name, _) in &case.members.0 {
            let mut body = case.model.valid(&case.members);
            body.insert(name.clone(), Value::Null);
            case.expect(&body);
        }
    });
}

#[test]
fn unknown_members_are_ignored() {
    for_each_operation(|case| {
        for unknown in [json!(1), json!(null), json!("x"), json!([{"a": [1.5]}])] {
            let mut body = case.model.valid(&case.members);
            body.insert("NoSuchMember".to_owned(), unknown);
            assert_eq!(case.decode(&body), Ok(()), "{}", case.operation);
        }
    });
}

/// One operation under test.
struct Case<'m> {
    model: &'m Model,
    operation: Operation,
    members: Structure,
}

fn for_each_operation(mut test: impl FnMut(&Case<'_>)) {
    let model = Model::read();
    for operation in Operation::ALL {
        let described = model.operations.0.iter().find(|(name, _)| name == operation.name());
        let members = described.expect("the model has the operation").1.input.clone();
        test(&Case { model: &model, operation, members });
    }
}

impl Case<'_> {
    fn decode(&self, body: &Map<String, Value>) -> Result<(), DecodeError> {
        self.operation.check_body(&serde_json::to_vec(body).unwrap())
    }

    /// Decoding has to end as the model says.
    fn expect(&self, body: &Map<String, Value>) {
        let violations = self.model.violations_of_members("", &self.members, body);
        let expected = match violations.len() {
            0 => Ok(()),
            1 => Err(format!("1 validation error detected: {}", violations[0])),
            many => Err(format!("{many} validation errors detected: {}", violations.join("; "))),
        };
        assert_eq!(
            self.decode(body),
            expected.map_err(DecodeError::Validation),
            "{}: {body:?}",
            self.operation
        );
    }

    fn is_required(&self, name: &str) -> bool {
        self.members.0.iter().any(|(member, shape)| member == name && shape.ends_with('!'))
    }
}

fn bare(shape: &str) -> &str {
    shape.trim_end_matches(['!', '?'])
}

// What the model expects of values.
impl Model {
    fn violations_of_members(
        &self,
        at: &str,
        members: &Structure,
        values: &Map<String, Value>,
    ) -> Vec<String> {
        let mut all = Vec::new();
        for (name, shape) in &members.0 {
            let path = format!("{at}{}{}", name[..1].to_lowercase(), &name[1..]);
            match values.get(name).filter(|value| !value.is_null()) {
                Some(value) if shape.ends_with('?') && value == "" => {}
                Some(value) => all.extend(self.violations(&path, bare(shape), value)),
                None if shape.ends_with('!') => {
                    all.push(format!(
                        "Value null at '{path}' failed to satisfy constraint: Member must not be null"
                    ));
                }
                None => {}
            }
        }
        all
    }

    fn violations(&self, path: &str, shape: &str, value: &Value) -> Vec<String> {
        if let Some(structure) = self.structures.find(shape) {
            return self.violations_of_members(&format!("{path}."), structure, value.as_object().unwrap());
        }
        if let Some(list) = self.lists.find(shape) {
            return self.violations_of_list(path, list, value.as_array().unwrap());
        }
        let sensitive =
            self.values.find(shape).is_some_and(|described| described.sensitive || described.kind == "blob");
        let echo = match value {
            _ if sensitive => "Value".to_owned(),
            Value::String(text) => format!("Value '{text}'"),
            other => format!("Value '{other}'"),
        };
        let constraints = self.violated(shape, value).into_iter();
        constraints
            .map(|constraint| format!("{echo} at '{path}' failed to satisfy constraint: {constraint}"))
            .collect()
    }

    fn violations_of_list(&self, path: &str, list: &model::List, elements: &[Value]) -> Vec<String> {
        if self.structures.find(&list.of).is_some() {
            let each = elements.iter().zip(1..);
            return each
                .flat_map(|(element, number)| {
                    self.violations(&format!("{path}.{number}.member"), &list.of, element)
                })
                .collect();
        }
        let shown: Vec<&str> = elements.iter().map(|element| element.as_str().unwrap()).collect();
        let mut constraints = lengths(list.min, list.max, elements.len() as u64);
        if elements.iter().any(|element| !self.violated(&list.of, element).is_empty()) {
            let of_each = self.constraints_of_element(&list.of).join(", ");
            constraints.push(format!("Member must satisfy constraint: [{of_each}]"));
        }
        let echo = format!("Value '[{}]' at '{path}'", shown.join(", "));
        constraints.into_iter().map(|each| format!("{echo} failed to satisfy constraint: {each}")).collect()
    }

    fn constraints_of_element(&self, shape: &str) -> Vec<String> {
        let Some(value) = self.values.find(shape) else { return vec![self.enum_constraint(shape)] };
        let mut all = vec![at_most("length", value.max.unwrap()), at_least("length", value.min.unwrap())];
        all.extend(value.pattern.as_deref().map(pattern_constraint));
        all
    }

    fn violated(&self, shape: &str, value: &Value) -> Vec<String> {
        let Some(described) = self.values.find(shape) else {
            let known = self.offered(shape).iter().any(|offered| value == offered);
            return if known { vec![] } else { vec![self.enum_constraint(shape)] };
        };
        let (min, max) = (described.min, described.max);
        match described.kind.as_str() {
            "string" => {
                let text = value.as_str().unwrap();
                let mut all = lengths(min, max, text.encode_utf16().count() as u64);
                all.extend(
                    described.pattern.as_deref().filter(|&p| !matches(p, text)).map(pattern_constraint),
                );
                all
            }
            "blob" => lengths(min, max, STANDARD.decode(value.as_str().unwrap()).unwrap().len() as u64),
            "integer" => bounds("value", min, max, value.as_i64().unwrap()),
            _ => vec![],
        }
    }

    fn offered(&self, shape: &str) -> Vec<String> {
        let described = self.enumerations.find(shape).expect("an enumeration");
        described.values.iter().filter(|value| !described.only_aws_cn.contains(value)).cloned().collect()
    }

    fn enum_constraint(&self, shape: &str) -> String {
        format!("Member must satisfy enum value set: [{}]", self.offered(shape).join(", "))
    }
}

fn lengths(min: Option<u64>, max: Option<u64>, length: u64) -> Vec<String> {
    bounds("length", min, max, i64::try_from(length).unwrap())
}

fn bounds(what: &str, min: Option<u64>, max: Option<u64>, value: i64) -> Vec<String> {
    let below = min.filter(|&min| value < min as i64).map(|min| at_least(what, min));
    let above = max.filter(|&max| value > max as i64).map(|max| at_most(what, max));
    below.into_iter().chain(above).collect()
}

fn at_least(what: &str, min: u64) -> String {
    format!("Member must have {what} greater than or equal to {min}")
}

fn at_most(what: &str, max: u64) -> String {
    format!("Member must have {what} less than or equal to {max}")
}

fn pattern_constraint(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

fn matches(pattern: &str, text: &str) -> bool {
    thread_local!(static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default());
    COMPILED.with_borrow_mut(|compiled| {
        let whole = || Regex::new(&format!("^(?:{pattern})$")).unwrap();
        compiled.entry(pattern.to_owned()).or_insert_with(whole).is_match(text)
    })
}

// Values to try.
impl Model {
    fn valid(&self, members: &Structure) -> Map<String, Value> {
        members.0.iter().map(|(name, shape)| (name.clone(), self.valid_value(bare(shape)))).collect()
    }

    fn valid_value(&self, shape: &str) -> Value {
        if let Some(structure) = self.structures.find(shape) {
            return Value::Object(self.valid(structure));
        }
        if let Some(list) = self.lists.find(shape) {
            return json!([self.valid_value(&list.of)]);
        }
        let Some(described) = self.values.find(shape) else { return json!(self.offered(shape)[0]) };
        let max = described.max.unwrap_or(64).min(64);
        match described.kind.as_str() {
            "string" => json!(text(shape, max)),
            "blob" => json!(STANDARD.encode(vec![7; max as usize])),
            "integer" => json!(described.min),
            "boolean" => json!(true),
            "timestamp" => json!(1_521_097_200.5),
            _ => json!({"purpose": "test"}),
        }
    }

    /// Values of the right JSON type, good and bad.
    fn variants(&self, shape: &str) -> Vec<Value> {
        if let Some(structure) = self.structures.find(shape) {
            return self.variants_of_structure(structure);
        }
        if let Some(list) = self.lists.find(shape) {
            return self.variants_of_list(list);
        }
        let Some(described) = self.values.find(shape) else { return self.variants_of_enumeration(shape) };
        match described.kind.as_str() {
            "string" => variants_of_text(shape, described),
            "blob" => {
                around(described).map(|length| json!(STANDARD.encode(vec![0; length as usize]))).collect()
            }
            "integer" => around(described)
                .map(|value| json!(value))
                .chain([json!(-1), json!(i32::MAX), json!(i32::MIN)])
                .collect(),
            "boolean" => vec![json!(true), json!(false)],
            "timestamp" => vec![json!(0), json!(-1), json!(1.25), json!(1e18)],
            _ => vec![json!({}), json!({"a": "b", "c": 1, "d": true, "": ""})],
        }
    }

    fn variants_of_structure(&self, structure: &Structure) -> Vec<Value> {
        let mut all = vec![json!({}), json!({"NoSuchMember": 1})];
        for (name, shape) in &structure.0 {
            for value in self.variants(bare(shape)) {
                let mut members = self.valid(structure);
                members.insert(name.clone(), value);
                all.push(Value::Object(members));
            }
        }
        all
    }

    fn variants_of_list(&self, list: &model::List) -> Vec<Value> {
        let element = self.valid_value(&list.of);
        let counts = [0, 1, 2].into_iter().chain(list.max).chain(list.max.map(|max| max + 1));
        let counts = counts.map(|count| Value::Array(vec![element.clone(); count as usize]));
        let elements = self.variants(&list.of).into_iter().map(|variant| json!([element, variant]));
        counts.chain(elements).collect()
    }

    fn variants_of_enumeration(&self, shape: &str) -> Vec<Value> {
        let values = self.enumerations.find(shape).expect("an enumeration").values.iter();
        let cases = ["", "NO_SUCH_VALUE", "symmetric_default"];
        values.map(|value| json!(value)).chain(cases.map(|value| json!(value))).collect()
    }

    /// Values of the wrong JSON type, and bad base64.
    fn mistyped(&self, shape: &str) -> Vec<Value> {
        if let Some(structure) = self.structures.find(shape) {
            let mut all = vec![json!("x"), json!(1), json!(true), json!([])];
            for (name, shape) in &structure.0 {
                for value in self.mistyped(bare(shape)) {
                    let mut members = self.valid(structure);
                    members.insert(name.clone(), value);
                    all.push(Value::Object(members));
                }
            }
            return all;
        }
        if let Some(list) = self.lists.find(shape) {
            let elements = self.mistyped(&list.of).into_iter().map(|element| json!([element]));
            return elements.chain([json!([null]), json!("x"), json!(1), json!(false), json!({})]).collect();
        }
        match self.values.find(shape).map_or("enumeration", |described| &described.kind) {
            "string" | "enumeration" => vec![json!(1), json!(true), json!([]), json!({})],
            "blob" => {
                let bad = ["YQ", "YQ=", "YR==", "Y Q==", "YQ==\n", "_-8=", "*", "this-is-not-base64"];
                bad.into_iter()
                    .map(|text| json!(text))
                    .chain([json!(1), json!(false), json!([1]), json!({})])
                    .collect()
            }
            "integer" => {
                vec![
                    json!("1"),
                    json!(1.5),
                    json!(1.0),
                    json!(true),
                    json!([]),
                    json!(2_147_483_648_u64),
                    json!(-2_147_483_649_i64),
                ]
            }
            "boolean" => vec![json!("true"), json!(1), json!(0), json!([]), json!({})],
            "timestamp" => vec![json!("1521097200"), json!("2018-03-15T07:00:00Z"), json!(true), json!({})],
            _ => vec![
                json!("x"),
                json!(1),
                json!([]),
                json!({"a": null}),
                json!({"a": []}),
                json!({"a": {"b": "c"}}),
            ],
        }
    }
}

/// Lengths or values at and beside both ends.
fn around(described: &Shape) -> impl Iterator<Item = u64> {
    let (min, max) = (described.min.unwrap_or(0), described.max.unwrap_or(100));
    [min.checked_sub(1), Some(min), Some(min + 1), Some(max - 1), Some(max), Some(max + 1)]
        .into_iter()
        .flatten()
}

fn variants_of_text(shape: &str, described: &Shape) -> Vec<Value> {
    let mut all: Vec<Value> = around(described).map(|length| json!(text(shape, length))).collect();
    let good = text(shape, described.max.unwrap_or(64).min(64));
    // Every character near the ends of the sets that patterns are made of, and some far away.
    let nearby = if described.pattern.is_some() { 0..0x180 } else { 0..0 };
    for character in nearby.filter_map(char::from_u32).chain(['\u{2028}', '€', '😀']) {
        all.push(json!(format!("{good}{character}")));
    }
    for character in "\0\n -/9AZaz_é😀".chars() {
        all.push(json!(format!("{character}{good}")));
    }
    all.push(json!("😀".repeat(described.max.unwrap_or(64).div_ceil(2) as usize)));
    all
}

/// A text of that length which, if it can, matches the pattern of the shape.
fn text(shape: &str, length: u64) -> String {
    let (start, filling, end) = match shape {
        "AccountId" => ("", '1', ""),
        "CloudHsmClusterId" => ("cluster-", 'a', ""),
        "GrantConstraintSourceArn" => ("arn:aws:s3::123456789012:", 'x', ""),
        "Region" => ("us-east-", '1', ""),
        "ServicePrincipal" => ("a.b.", 'c', ""),
        "XksProxyAuthenticationAccessKeyId" => ("", 'A', ""),
        "XksProxyUriEndpoint" => ("https://", 'a', ""),
        "XksProxyUriPath" => ("/", 'a', "/kms/xks/v1"),
        "XksProxyVpcEndpointServiceName" => ("com.amazonaws.vpce.us-east-1.vpce-svc-", 'a', ""),
        _ => ("", 'a', ""),
    };
    let fill = (length as usize).saturating_sub(start.len() + end.len());
    let text = format!("{start}{}{end}", String::from(filling).repeat(fill));
    text.chars().take(length as usize).collect()
}
