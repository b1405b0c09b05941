//! `model/kms.json` for tests.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

#[derive(Deserialize)]
pub(crate) struct Model {
    pub(crate) operations: Ordered<Operation>,
    pub(crate) structures: Ordered<Structure>,
    pub(crate) enumerations: Ordered<Enumeration>,
    pub(crate) lists: Ordered<List>,
    pub(crate) values: Ordered<Value>,
}

#[derive(Deserialize)]
pub(crate) struct Operation {
    pub(crate) input: Structure,
}

pub(crate) type Structure = Ordered<String>;

#[derive(Deserialize)]
pub(crate) struct Enumeration {
    pub(crate) values: Vec<String>,
    #[serde(default)]
    pub(crate) only_aws_cn: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct List {
    pub(crate) of: String,
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
}

#[derive(Deserialize)]
pub(crate) struct Value {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
    pub(crate) pattern: Option<String>,
    #[serde(default)]
    pub(crate) sensitive: bool,
}

impl Model {
    pub(crate) fn read() -> Self {
        serde_json::from_str(include_str!("../../../../model/kms.json")).unwrap()
    }
}

/// An object in the order in which it is written.
#[derive(Clone)]
pub(crate) struct Ordered<T>(pub(crate) Vec<(String, T)>);

impl<T> Ordered<T> {
    pub(crate) fn find(&self, name: &str) -> Option<&T> {
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
