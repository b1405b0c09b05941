//! What every enumeration of the API can do; the enumerations themselves are in `generated/enumerations.rs`.

/// Which values of enumerations a request may name: the model has some that AWS offers in China alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offer {
    /// Those of all Regions.
    #[default]
    Everywhere,
    /// Those of Regions of the partition `aws-cn`, too.
    AwsCn,
}

/// How the constraint check sees an enumeration.
pub(crate) trait WireEnum: Copy + 'static {
    fn from_wire(text: &str, offer: Offer) -> Option<Self>;
    fn offered(offer: Offer) -> impl Iterator<Item = &'static str>;
}

/// Defines one enumeration: variants in model order with their wire values, then those of `aws-cn` only.
macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident [$count:literal] { $($variant:ident = $wire:literal,)* } aws_cn { $($cn:ident)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $wire, "`")] $variant,)*
        }

        impl $name {
            /// All values, in the order of the model.
            pub const ALL: [Self; $count] = [$(Self::$variant,)*];

            /// The value as the wire and stored records spell it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $wire,)*
                }
            }

            /// The value so spelled, of all the model knows. For input of callers use [`Self::from_wire`].
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($wire => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The value so spelled in a request. Elsewhere than in the partition `aws-cn`, those that are offered only
            /// there (SM2) are unknown.
            pub fn from_wire(text: &str, offer: $crate::Offer) -> Option<Self> {
                Self::parse(text).filter(|value| value.is_offered(offer))
            }

            /// Whether requests may name the value.
            pub fn is_offered(self, offer: $crate::Offer) -> bool {
                let only_aws_cn: &[Self] = &[$(Self::$cn,)*];
                offer == $crate::Offer::AwsCn || !only_aws_cn.contains(&self)
            }
        }

        impl $crate::wire_enum::WireEnum for $name {
            fn from_wire(text: &str, offer: $crate::Offer) -> Option<Self> {
                Self::from_wire(text, offer)
            }

            fn offered(offer: $crate::Offer) -> impl Iterator<Item = &'static str> {
                Self::ALL.into_iter().filter(move |value| value.is_offered(offer)).map(Self::as_str)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = $crate::raw::Text::deserialize(deserializer)?;
                Self::parse(text.as_str()).ok_or_else(|| {
                    serde::de::Error::custom(concat!("unknown value for `", stringify!($name), "`"))
                })
            }
        }

        impl $crate::encode::Encode for $name {
            fn encode_into(&self, out: &mut impl $crate::encode::Sink) {
                self.as_str().encode_into(out);
            }
        }
    };
}
pub(crate) use wire_enum;
