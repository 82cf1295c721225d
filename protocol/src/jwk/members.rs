//! A JWK by its members. The members are `jose-jwk`'s; that crate accepts short coordinates,
//! unknown members and members twice, so exactly which members there are, and what they hold, is
//! checked here.

use std::borrow::Cow;
use std::fmt;

use jose_jwk::{Ec, EcCurves, Key, Okp, OkpCurves, Rsa};
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Serialize, Serializer};

use super::{KeyError, Material, PublicKey, RSA_EXPONENT};
use crate::base64url;

/// The members of one JWK, each at most once, not yet checked.
#[derive(Debug, Default)]
pub(crate) struct Members<'a> {
    kty: Option<Cow<'a, str>>,
    crv: Option<Cow<'a, str>>,
    x: Option<Cow<'a, str>>,
    y: Option<Cow<'a, str>>,
    n: Option<Cow<'a, str>>,
    e: Option<Cow<'a, str>>,
    /// There are members that no public key of ours has; `d` is one.
    foreign: bool,
}

impl Members<'_> {
    fn key(&self) -> Result<Key, KeyError> {
        if self.foreign {
            return Err(KeyError::Members);
        }
        let bytes = |text: &str| base64url::decode(text).map_err(|_| KeyError::Members);
        let Self { kty, crv, x, y, n, e, foreign: _ } = self;
        let members = (crv.as_deref(), x.as_deref(), y.as_deref(), n.as_deref(), e.as_deref());
        match (kty.as_deref(), members) {
            (Some("EC"), (Some(crv), Some(x), Some(y), None, None)) => {
                let crv = match crv {
                    "P-256" => EcCurves::P256,
                    "P-384" => EcCurves::P384,
                    _ => return Err(KeyError::UnsupportedType),
                };
                Ok(Key::Ec(Ec { crv, x: bytes(x)?.into(), y: bytes(y)?.into(), d: None }))
            }
            (Some("OKP"), (Some(crv), Some(x), None, None, None)) => {
                if crv != "Ed25519" {
                    return Err(KeyError::UnsupportedType);
                }
                Ok(Key::Okp(Okp { crv: OkpCurves::Ed25519, x: bytes(x)?.into(), d: None }))
            }
            (Some("RSA"), (None, None, None, Some(n), Some(e))) => {
                Ok(Key::Rsa(Rsa { n: bytes(n)?.into(), e: bytes(e)?.into(), prv: None }))
            }
            (Some("EC" | "OKP" | "RSA"), _) => Err(KeyError::Members),
            _ => Err(KeyError::UnsupportedType),
        }
    }
}

impl TryFrom<Members<'_>> for PublicKey {
    type Error = KeyError;

    fn try_from(members: Members<'_>) -> Result<Self, KeyError> {
        Self::try_from(&members.key()?)
    }
}

impl TryFrom<&Key> for PublicKey {
    type Error = KeyError;

    /// Checks the members of a JWK; a private key is refused.
    fn try_from(key: &Key) -> Result<Self, KeyError> {
        match key {
            Key::Ec(Ec { d: Some(_), .. })
            | Key::Okp(Okp { d: Some(_), .. })
            | Key::Rsa(Rsa { prv: Some(_), .. }) => Err(KeyError::Members),
            Key::Ec(Ec { crv: EcCurves::P256, x, y, d: None }) if x.len() == 32 => {
                Self::p256(&uncompressed(x, y))
            }
            Key::Ec(Ec { crv: EcCurves::P384, x, y, d: None }) if x.len() == 48 => {
                Self::p384(&uncompressed(x, y))
            }
            Key::Ec(Ec { crv: EcCurves::P256 | EcCurves::P384, .. }) => Err(KeyError::Point),
            Key::Okp(Okp { crv: OkpCurves::Ed25519, x, d: None }) => Self::ed25519(x),
            Key::Rsa(Rsa { n, e, prv: None }) => Self::rsa(n, e),
            // Other curves, symmetric keys, and what jose-jwk may add.
            _ => Err(KeyError::UnsupportedType),
        }
    }
}

/// SEC 1 section 2.3.3; the whole length is checked by who reads it.
fn uncompressed(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}

impl From<&PublicKey> for Key {
    fn from(key: &PublicKey) -> Self {
        let ec = |crv, point: &[u8]| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            Self::Ec(Ec { crv, x: x.to_vec().into(), y: y.to_vec().into(), d: None })
        };
        match &key.0 {
            Material::P256(_, point) => ec(EcCurves::P256, point),
            Material::P384(_, point) => ec(EcCurves::P384, point),
            Material::Ed25519(key) => {
                let x = key.as_bytes().to_vec().into();
                Self::Okp(Okp { crv: OkpCurves::Ed25519, x, d: None })
            }
            Material::Rsa(modulus) => {
                let (n, e) = (modulus.to_vec().into(), RSA_EXPONENT.to_vec().into());
                Self::Rsa(Rsa { n, e, prv: None })
            }
        }
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Key::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::deserialize(deserializer)?;
        Self::try_from(members).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JWK")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let member = match &*name {
                "kty" => &mut members.kty,
                "crv" => &mut members.crv,
                "x" => &mut members.x,
                "y" => &mut members.y,
                "n" => &mut members.n,
                "e" => &mut members.e,
                _ => {
                    members.foreign = true;
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if member.replace(map.next_value()?).is_some() {
                return Err(de::Error::custom(format_args!("the member {name:?} occurs twice")));
            }
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::KeyType;
    use crate::json;

    const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const ED25519: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const RSA: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}"#;

    fn read(text: &str) -> Result<PublicKey, KeyError> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        PublicKey::try_from(Members::deserialize(&mut deserializer).expect("members"))
    }

    #[test]
    fn rfc_7638_3_1_the_thumbprint_of_the_rsa_example() {
        let key = read(RSA).expect("a key");
        assert_eq!(key.key_type(), KeyType::Rsa);
        assert_eq!(key.thumbprint().to_string(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn rfc_8037_a_3_the_thumbprint_of_the_ed25519_example() {
        let key = read(ED25519).expect("a key");
        assert_eq!(key.key_type(), KeyType::Ed25519);
        assert_eq!(key.thumbprint().to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_jwk_is_written_with_exactly_its_members() {
        for text in [P256, ED25519, RSA] {
            let key = json::parse::<PublicKey>(text.as_bytes()).expect(text);
            assert_eq!(serde_json::to_string(&key).expect("JSON"), text);
        }
    }

    #[test]
    fn private_unknown_missing_and_foreign_members_are_refused() {
        for (broken, error) in [
            (P256.replace('}', r#","d":"AA"}"#), KeyError::Members),
            (P256.replace('}', r#","alg":"none"}"#), KeyError::Members),
            (P256.replace('}', r#","n":"AA"}"#), KeyError::Members),
            (ED25519.replace('}', r#","y":"AA"}"#), KeyError::Members),
            (RSA.replace(r#","e":"AQAB""#, ""), KeyError::Members),
            (RSA.replace("AQAB", "AAEAAQ"), KeyError::Exponent),
            (RSA.replace("AQAB", "Aw"), KeyError::Exponent),
            (RSA.replace("\"0vx", "\"AAAA0vx"), KeyError::Modulus),
            (RSA.replace("DKgw", "DKgg"), KeyError::Modulus),
            (r#"{"kty":"RSA","n":"AQ","e":"AQAB"}"#.into(), KeyError::Modulus),
            (r#"{"kty":"oct","k":"AA"}"#.into(), KeyError::Members),
            (r#"{"kty":"oct"}"#.into(), KeyError::UnsupportedType),
            (P256.replace("P-256", "P-521"), KeyError::UnsupportedType),
            (P256.replace("P-256", "P-384"), KeyError::Point),
            (ED25519.replace("Ed25519", "X25519"), KeyError::UnsupportedType),
            ("{}".into(), KeyError::UnsupportedType),
        ] {
            assert_eq!(read(&broken), Err(error), "{broken}");
        }
    }

    #[test]
    fn coordinates_have_their_full_length_and_lie_on_the_curve() {
        let ec = |x: &[u8], y: &[u8]| {
            let (x, y) = (base64url::encode(x), base64url::encode(y));
            read(&format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#))
        };
        assert_eq!(ec(&[1; 32], &[1; 32]), Err(KeyError::Point), "not on the curve");
        let x = base64url::decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU").expect("x");
        let y = base64url::decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0").expect("y");
        assert!(ec(&x, &y).is_ok());
        assert_eq!(ec(&x[..31], &y), Err(KeyError::Point));
        assert_eq!(ec(&[&x[..], &[0]].concat(), &y[..31]), Err(KeyError::Point));
        assert_eq!(ec(&[&[0], &x[..]].concat(), &y), Err(KeyError::Point));
    }

    #[test]
    fn small_order_and_non_canonical_ed25519_points_are_refused() {
        let zero = [0; 32];
        let mut identity = zero;
        identity[0] = 1;
        // y = p + 3: the point with y = 3 in another spelling, were it on the curve.
        let mut above = [0xff; 32];
        above[31] = 0x7f;
        let non_canonical = (0xed..=0xff_u8).map(|low| {
            let mut bytes = above;
            bytes[0] = low;
            bytes
        });
        for bytes in [zero, identity].into_iter().chain(non_canonical) {
            let x = base64url::encode(&bytes);
            let text = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
            assert_eq!(read(&text), Err(KeyError::Point), "{bytes:02x?}");
        }
    }

    #[test]
    fn a_member_twice_and_an_array_for_the_object_are_refused() {
        for text in [P256.replace('}', r#","kty":"EC"}"#), format!("[{P256}]"), "[]".into()] {
            assert!(serde_json::from_str::<PublicKey>(&text).is_err(), "{text}");
        }
    }
}
