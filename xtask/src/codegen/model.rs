//! `model/kms.json` as it is written, and the questions the generator asks of it.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// The whole description.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Model {
    pub(super) service: String,
    #[serde(rename = "version")]
    _version: String,
    pub(super) operations: Ordered<Operation>,
    pub(super) structures: Ordered<Structure>,
    pub(super) enumerations: Ordered<Enumeration>,
    pub(super) lists: Ordered<List>,
    pub(super) values: Ordered<Value>,
    pub(super) exceptions: Ordered<Exception>,
    pub(super) common_exceptions: Ordered<CommonException>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operation {
    pub(super) input: Structure,
    pub(super) output: Option<Structure>,
    pub(super) errors: Vec<String>,
}

/// Members by name; a type ending in `!` is required.
pub(super) type Structure = Ordered<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enumeration {
    pub(super) values: Vec<String>,
    #[serde(default)]
    pub(super) only_aws_cn: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) of: String,
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Value {
    #[serde(rename = "type")]
    pub(super) kind: ValueKind,
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
    pub(super) pattern: Option<String>,
    #[serde(default)]
    pub(super) sensitive: bool,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum ValueKind {
    String,
    Blob,
    Integer,
    Boolean,
    Timestamp,
    StringMap,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exception {
    pub(super) fault: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommonException {
    pub(super) status: u16,
}

/// What a type name stands for.
pub(super) enum Kind<'m> {
    Value(&'m Value),
    Enumeration,
    List(&'m List),
    Structure(&'m Structure),
}

/// A member, its type resolved.
pub(super) struct Member<'m> {
    pub(super) name: &'m str,
    pub(super) shape: &'m str,
    pub(super) required: bool,
    /// Whether the empty text is the same as no member.
    pub(super) may_be_empty: bool,
    pub(super) kind: Kind<'m>,
}

impl Model {
    /// What `shape` stands for.
    pub(super) fn kind(&self, shape: &str) -> anyhow::Result<Kind<'_>> {
        let value = self.values.find(shape).map(Kind::Value);
        value
            .or_else(|| self.enumerations.find(shape).map(|_| Kind::Enumeration))
            .or_else(|| self.lists.find(shape).map(Kind::List))
            .or_else(|| self.structures.find(shape).map(Kind::Structure))
            .with_context(|| format!("type `{shape}` is not in the model"))
    }

    /// The members of a structure, in order.
    pub(super) fn members<'m>(&'m self, structure: &'m Structure) -> anyhow::Result<Vec<Member<'m>>> {
        let resolve = |(name, shape): &'m (String, String)| {
            let bare = shape.trim_end_matches(['!', '?']);
            let (required, may_be_empty) = (shape.ends_with('!'), shape.ends_with('?'));
            Ok(Member { name, shape: bare, required, may_be_empty, kind: self.kind(bare)? })
        };
        structure.0.iter().map(resolve).collect()
    }

    /// Names of everything requests are made of.
    pub(super) fn input_shapes(&self) -> anyhow::Result<BTreeSet<String>> {
        self.reachable(self.operations.0.iter().map(|(_, operation)| &operation.input))
    }

    /// Names of everything responses are made of.
    pub(super) fn output_shapes(&self) -> anyhow::Result<BTreeSet<String>> {
        self.reachable(self.operations.0.iter().filter_map(|(_, operation)| operation.output.as_ref()))
    }

    fn reachable<'m>(
        &'m self,
        roots: impl Iterator<Item = &'m Structure>,
    ) -> anyhow::Result<BTreeSet<String>> {
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<String> = roots.flat_map(shape_names).collect();
        while let Some(shape) = waiting.pop() {
            let kind = self.kind(&shape)?;
            if !reached.insert(shape) {
                continue;
            }
            match kind {
                Kind::List(list) => waiting.push(list.of.clone()),
                Kind::Structure(structure) => waiting.append(&mut shape_names(structure)),
                Kind::Value(_) | Kind::Enumeration => {}
            }
        }
        Ok(reached)
    }

    /// Whether the structure, or one within, has a sensitive member.
    pub(super) fn has_secret(&self, structure: &Structure) -> anyhow::Result<bool> {
        self.has(structure, &|value| value.sensitive)
    }

    fn has(&self, structure: &Structure, what: &dyn Fn(&Value) -> bool) -> anyhow::Result<bool> {
        for shape in self.reachable([structure].into_iter())? {
            if matches!(self.kind(&shape)?, Kind::Value(value) if what(value)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Fails on what the types of this file cannot express.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for (name, operation) in &self.operations.0 {
            for error in &operation.errors {
                ensure!(self.exceptions.find(error).is_some(), "`{name}` has an unknown error `{error}`");
            }
        }
        for (name, enumeration) in &self.enumerations.0 {
            let unknown = enumeration.only_aws_cn.iter().find(|value| !enumeration.values.contains(value));
            ensure!(unknown.is_none(), "`{name}` restricts a value it does not have: {unknown:?}");
        }
        let (input, output) = (self.input_shapes()?, self.output_shapes()?);
        for (name, structure) in &self.structures.0 {
            let goes_both_ways = input.contains(name) && output.contains(name);
            let has_timestamp = self.has(structure, &|value| value.kind == ValueKind::Timestamp)?;
            // Timestamps have one type on the way in and another on the way out.
            ensure!(!(goes_both_ways && has_timestamp), "`{name}` goes both ways and has a timestamp");
        }
        Ok(())
    }
}

fn shape_names(structure: &Structure) -> Vec<String> {
    structure.0.iter().map(|(_, shape)| shape.trim_end_matches(['!', '?']).to_owned()).collect()
}

/// A JSON object in the order in which it is written: the order of members is that of messages.
pub(super) struct Ordered<T>(pub(super) Vec<(String, T)>);

impl<T> Ordered<T> {
    fn find(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OrderedVisitor(PhantomData))
    }
}

struct OrderedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OrderedVisitor<T> {
    type Value = Ordered<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Ordered(entries))
    }
}
