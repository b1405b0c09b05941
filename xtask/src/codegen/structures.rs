//! Structures: the public type, how it is read and checked, how it is written.

use anyhow::bail;

use super::model::{Kind, List, Member, Model, Structure, Value, ValueKind};
use super::{names, rules};

/// Structures within requests and responses.
pub(super) fn nested(model: &Model) -> anyhow::Result<String> {
    let (input, output) = (model.input_shapes()?, model.output_shapes()?);
    let mut text = "//! Structures within requests and responses.\n\nuse super::prelude::*;\n\n".to_owned();
    for (name, structure) in &model.structures.0 {
        let doc = format!("`{name}` within requests or responses.");
        let direction = if input.contains(name) { Direction::In } else { Direction::Out };
        text += &definition(model, name, &doc, structure, direction)?;
        if input.contains(name) {
            text += &reading(model, name, structure)?;
        }
        if output.contains(name) {
            text += &writing(model, name, structure)?;
        }
    }
    Ok(text)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// The public type.
pub(super) fn definition(
    model: &Model,
    name: &str,
    doc: &str,
    structure: &Structure,
    direction: Direction,
) -> anyhow::Result<String> {
    let members = model.members(structure)?;
    let mut fields = String::new();
    for member in &members {
        let field_type = field_type(model, member, direction)?;
        fields += &format!(
            "/// {}\npub {}: {field_type},\n",
            member_doc(model, member)?,
            names::snake(member.name)
        );
    }
    let mut derives = Vec::new();
    let has_blob = members.iter().any(is_open_blob);
    if !has_blob {
        derives.push("Debug");
    }
    if !model.has_secret(structure)? {
        derives.extend(["Clone", "PartialEq"]);
    }
    // The default of a request with required members would be no valid request.
    if direction == Direction::Out || members.iter().all(|member| !member.required) {
        derives.push("Default");
    }
    let derives =
        if derives.is_empty() { String::new() } else { format!("#[derive({})]\n", derives.join(", ")) };
    let debug = if has_blob { debug(name, &members) } else { String::new() };
    Ok(format!("/// {doc}\n{derives}pub struct {name} {{ {fields} }}\n\n{debug}"))
}

/// Prints lengths in place of blobs.
fn debug(name: &str, members: &[Member<'_>]) -> String {
    let field = |member: &Member<'_>| {
        let field = names::snake(member.name);
        let value = match (is_open_blob(member), member.required) {
            (false, _) => format!("&self.{field}"),
            (true, true) => format!("&ByteCount(self.{field}.len())"),
            (true, false) => format!("&self.{field}.as_ref().map(|blob| ByteCount(blob.len()))"),
        };
        format!(".field({field:?}, {value})")
    };
    let fields: String = members.iter().map(field).collect();
    format!(
        "impl fmt::Debug for {name} {{
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
                f.debug_struct({name:?}){fields}.finish()
            }}
        }}\n\n"
    )
}

fn is_open_blob(member: &Member<'_>) -> bool {
    matches!(member.kind, Kind::Value(value) if value.kind == ValueKind::Blob && !value.sensitive)
}

fn field_type(model: &Model, member: &Member<'_>, direction: Direction) -> anyhow::Result<String> {
    let inner = valid_type(model, member.shape, direction)?;
    // Flags are present wherever their structure is; a missing one is false.
    let is_flag = matches!(member.kind, Kind::Value(value) if value.kind == ValueKind::Boolean);
    let plain = member.required || (direction == Direction::Out && is_flag);
    Ok(if plain { inner } else { format!("Option<{inner}>") })
}

fn valid_type(model: &Model, shape: &str, direction: Direction) -> anyhow::Result<String> {
    Ok(match model.kind(shape)? {
        Kind::Enumeration | Kind::Structure(_) => shape.to_owned(),
        Kind::List(list) => format!("Vec<{}>", valid_type(model, &list.of, direction)?),
        Kind::Value(value) => valid_value_type(value, direction).to_owned(),
    })
}

fn valid_value_type(value: &Value, direction: Direction) -> &'static str {
    match (value.kind, value.sensitive) {
        (ValueKind::String, false) => "String",
        (ValueKind::String, true) => "SecretString",
        (ValueKind::Blob, false) => "Vec<u8>",
        (ValueKind::Blob, true) => "SecretBlob",
        (ValueKind::Integer, _) => "i32",
        (ValueKind::Boolean, _) => "bool",
        (ValueKind::Timestamp, _) if direction == Direction::In => "EpochSeconds",
        (ValueKind::Timestamp, _) => "EpochMillis",
        (ValueKind::StringMap, _) => "BTreeMap<String, String>",
    }
}

/// The line above a field: its name on the wire and what holds of it.
fn member_doc(model: &Model, member: &Member<'_>) -> anyhow::Result<String> {
    let mut facts = Vec::new();
    if member.required {
        facts.push("required".to_owned());
    }
    match model.kind(member.shape)? {
        Kind::Value(value) => facts.extend(value_facts(value)),
        Kind::List(list) => facts.extend(span(list.min, list.max, "elements")),
        Kind::Enumeration | Kind::Structure(_) => {}
    }
    let facts = if facts.is_empty() { String::new() } else { format!(": {}", facts.join(", ")) };
    Ok(format!("`{}`{facts}.", member.name))
}

fn value_facts(value: &Value) -> Vec<String> {
    let unit = match value.kind {
        ValueKind::Blob => "bytes",
        ValueKind::String => "characters",
        _ => "",
    };
    let mut facts: Vec<String> = span(value.min, value.max, unit).into_iter().collect();
    facts.extend(value.pattern.as_ref().map(|pattern| format!("`{pattern}`")));
    facts
}

fn span(min: Option<u64>, max: Option<u64>, unit: &str) -> Option<String> {
    let (min, max) = (min.unwrap_or(0), max?);
    let numbers = if min == max { min.to_string() } else { format!("{min} to {max}") };
    Some(format!("{numbers} {unit}").trim_end().to_owned())
}

/// The private type as read, and the way from it to the public one.
pub(super) fn reading(model: &Model, name: &str, structure: &Structure) -> anyhow::Result<String> {
    let members = model.members(structure)?;
    let (mut fields, mut arms, mut checks, mut finish) = Default::default();
    for member in &members {
        let field = names::snake(member.name);
        let raw = raw_type(model, member.shape)?;
        append(&mut fields, &format!("{field}: Option<{raw}>,\n"));
        append(&mut arms, &format!("{:?} => self.{field} = from.next_value()?,\n", member.name));
        append(&mut checks, &check_line(model, member)?);
        append(
            &mut finish,
            &if member.required { format!("{field}: {field}?,\n") } else { format!("{field},\n") },
        );
    }
    let raw = raw_name(model, name, structure)?;
    let check = raw.replace("'a", "'_");
    Ok(format!(
        "#[derive(Default)]
        pub(crate) struct {raw} {{ {fields} }}

        impl<'a> Raw<'a> for {raw} {{
            fn read<A: MapAccess<'a>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {{
                match name {{ {arms} _ => skip(from)?, }}
                Ok(())
            }}
        }}

        impl Check for {check} {{
            type Valid = {name};

            fn check(self, at: &Path<'_>, found: &mut Violations) -> Option<{name}> {{
                {checks}                Some({name} {{ {finish} }})
            }}
        }}\n\n"
    ))
}

fn append(text: &mut String, line: &str) {
    text.push_str(line);
}

fn check_line(model: &Model, member: &Member<'_>) -> anyhow::Result<String> {
    let field = names::snake(member.name);
    let need = if member.required { "required" } else { "optional" };
    let path = names::lower_first(member.name);
    let rule = rule(model, member)?;
    let value = if member.may_be_empty {
        format!("self.{field}.filter(|text| !text.as_str().is_empty())")
    } else {
        format!("self.{field}")
    };
    Ok(format!("let {field} = found.{need}(&at.member({path:?}), {value}, &{rule});\n"))
}

fn rule(model: &Model, member: &Member<'_>) -> anyhow::Result<String> {
    Ok(match &member.kind {
        Kind::Enumeration => format!("OneOf::<{}>(PhantomData)", member.shape),
        Kind::Structure(_) => "Members".to_owned(),
        Kind::List(list) => list_rule(model, list)?,
        Kind::Value(value) => match value.kind {
            ValueKind::Boolean | ValueKind::Timestamp | ValueKind::StringMap => "Anything".to_owned(),
            ValueKind::String | ValueKind::Blob | ValueKind::Integer => {
                format!("rules::{}", names::constant(member.shape))
            }
        },
    })
}

fn list_rule(model: &Model, list: &List) -> anyhow::Result<String> {
    let length = rules::length(list.min, list.max);
    Ok(match model.kind(&list.of)? {
        Kind::Enumeration => format!("ManyOf::<{}> {{ length: {length}, of: PhantomData }}", list.of),
        Kind::Structure(_) if list.min.is_none() && list.max.is_none() => "Members".to_owned(),
        Kind::Value(value) if value.kind == ValueKind::String && !value.sensitive => {
            format!("TextList {{ length: {length}, of: &rules::{} }}", names::constant(&list.of))
        }
        _ => bail!("no rule for lists of `{}`", list.of),
    })
}

fn raw_type(model: &Model, shape: &str) -> anyhow::Result<String> {
    Ok(match model.kind(shape)? {
        Kind::Enumeration => "Text<'a>".to_owned(),
        Kind::Structure(structure) => format!("Structure<{}>", raw_name(model, shape, structure)?),
        Kind::List(list) => format!("Vec<{}>", raw_type(model, &list.of)?),
        Kind::Value(value) => raw_value_type(value).to_owned(),
    })
}

fn raw_value_type(value: &Value) -> &'static str {
    match (value.kind, value.sensitive) {
        (ValueKind::String, false) => "Text<'a>",
        (ValueKind::String, true) => "HiddenText",
        (ValueKind::Blob, false) => "Blob",
        (ValueKind::Blob, true) => "HiddenBlob",
        (ValueKind::Integer, _) => "i32",
        (ValueKind::Boolean, _) => "bool",
        (ValueKind::Timestamp, _) => "EpochSeconds",
        (ValueKind::StringMap, _) => "StringMap",
    }
}

/// The name of the type as read, with a lifetime if it borrows from the body.
pub(super) fn raw_name(model: &Model, name: &str, structure: &Structure) -> anyhow::Result<String> {
    for member in model.members(structure)? {
        if raw_type(model, member.shape)?.contains("'a") {
            return Ok(format!("Raw{name}<'a>"));
        }
    }
    Ok(format!("Raw{name}"))
}

/// How the type is written as JSON.
pub(super) fn writing(model: &Model, name: &str, structure: &Structure) -> anyhow::Result<String> {
    let mut lines = String::new();
    for member in model.members(structure)? {
        let field = names::snake(member.name);
        let is_optional = field_type(model, &member, Direction::Out)?.starts_with("Option<");
        lines += &match is_optional {
            true => format!("object.optional({:?}, self.{field}.as_ref());\n", member.name),
            false => format!("object.member({:?}, &self.{field});\n", member.name),
        };
    }
    let binding = if lines.is_empty() { "let object" } else { "let mut object" };
    Ok(format!(
        "impl Encode for {name} {{
            fn encode_into(&self, out: &mut impl Sink) {{
                {binding} = Object::open(out);
                {lines}                object.close();
            }}
        }}\n\n"
    ))
}
