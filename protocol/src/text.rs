//! Wire values that are JSON strings: serde through `Display` and `FromStr`, so that a value that
//! was read is a value that was checked.
//!
//! A bank keeps some of them in rows: there, in formats that are not for people, they take fewer bytes.

/// Implements `Serialize` by `Display` and `Deserialize` by `FromStr`.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
    // In formats that are not for people to read, as a value of `$compact`, checked all the same.
    ($type:ty, $compact:ty, $into:expr, $from:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.collect_str(self);
                }
                let into: fn(&$type) -> $compact = $into;
                serde::Serialize::serialize(&into(self), serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    return text.parse().map_err(serde::de::Error::custom);
                }
                let compact: $compact = serde::Deserialize::deserialize(deserializer)?;
                $from(compact).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_as_text;
