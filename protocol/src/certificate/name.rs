//! Distinguished names: their DER, and their one text form (SPEC.md 4.7).

mod parse;
mod write;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use der::asn1::{Ia5StringRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use der::{Encode, Tag};
use thiserror::Error;

use super::signed::{sequence, wrap};

/// A distinguished name.
///
/// Two names are equal, and hash alike, if their texts are the same (SPEC.md 4.7): neither the string
/// types in the DER nor the order of an RDN's attributes there makes a difference. So the text is also
/// the key under which a registry holds a name.
#[derive(Clone)]
pub struct Name {
    der: Box<[u8]>,
    text: Box<str>,
}

/// The bytes are not the DER of a name, or the attributes make none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a distinguished name")]
pub struct InvalidName;

/// The attribute types that RFC 4514 section 3 has short names for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// `CN`
    CommonName,
    /// `L`
    Locality,
    /// `ST`
    StateOrProvince,
    /// `O`
    Organization,
    /// `OU`
    OrganizationalUnit,
    /// `C`, two letters
    Country,
    /// `STREET`
    Street,
    /// `DC`
    DomainComponent,
    /// `UID`
    UserId,
}

impl Attribute {
    const ALL: [Self; 9] = [
        Self::CommonName,
        Self::Locality,
        Self::StateOrProvince,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::Country,
        Self::Street,
        Self::DomainComponent,
        Self::UserId,
    ];

    const fn short_name(self) -> &'static str {
        match self {
            Self::CommonName => "CN",
            Self::Locality => "L",
            Self::StateOrProvince => "ST",
            Self::Organization => "O",
            Self::OrganizationalUnit => "OU",
            Self::Country => "C",
            Self::Street => "STREET",
            Self::DomainComponent => "DC",
            Self::UserId => "UID",
        }
    }

    const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::CommonName => "2.5.4.3",
            Self::Locality => "2.5.4.7",
            Self::StateOrProvince => "2.5.4.8",
            Self::Organization => "2.5.4.10",
            Self::OrganizationalUnit => "2.5.4.11",
            Self::Country => "2.5.4.6",
            Self::Street => "2.5.4.9",
            Self::DomainComponent => "0.9.2342.19200300.100.1.25",
            Self::UserId => "0.9.2342.19200300.100.1.1",
        })
    }

    fn called(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.short_name() == name)
    }

    fn of(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.oid() == oid)
    }
}

/// `serialNumber` and `dnQualifier` (RFC 5280 appendix A), besides `C`.
const PRINTABLE: [ObjectIdentifier; 3] = [
    Attribute::Country.oid(),
    ObjectIdentifier::new_unwrap("2.5.4.5"),
    ObjectIdentifier::new_unwrap("2.5.4.46"),
];

/// `emailAddress` (RFC 5280 appendix A), besides `DC` (RFC 4519 section 2.4).
const IA5: [ObjectIdentifier; 2] =
    [Attribute::DomainComponent.oid(), ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1")];

/// An `AttributeTypeAndValue` in the string type that its type of attribute wants, in UTF-8 where that string type lacks
/// a character (NAM-04).
fn encode(oid: ObjectIdentifier, text: &str) -> der::Result<Vec<u8>> {
    let printable = PRINTABLE.contains(&oid).then(|| PrintableStringRef::new(text).ok()).flatten();
    let ia5 = IA5.contains(&oid).then(|| Ia5StringRef::new(text).ok()).flatten();
    let value = match (printable, ia5) {
        (Some(printable), _) => printable.to_der()?,
        (None, Some(ia5)) => ia5.to_der()?,
        (None, None) => Utf8StringRef::new(text)?.to_der()?,
    };
    Ok(sequence(&[&oid.to_der()?, &value]))
}

impl Name {
    /// The longest text of a name, in bytes (SPEC.md 4.7).
    pub const MAX_TEXT: usize = 4096;

    /// Makes a name of attributes in the order of the DER, each an RDN of its own.
    pub fn new(attributes: &[(Attribute, &str)]) -> Result<Self, InvalidName> {
        let mut rdns = Vec::with_capacity(attributes.len());
        for (attribute, text) in attributes {
            if text.is_empty() {
                return Err(InvalidName);
            }
            let written = encode(attribute.oid(), text).map_err(|_| InvalidName)?;
            rdns.push(wrap(Tag::Set, &[&written]));
        }
        let rdns: Vec<&[u8]> = rdns.iter().map(Vec::as_slice).collect();
        Self::from_der(&sequence(&rdns))
    }

    /// Reads the DER of a name.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidName> {
        let text = write::text(der).map_err(|_| InvalidName)?;
        Ok(Self { der: der.into(), text: text.into() })
    }

    /// The name in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The text of SPEC.md 4.7, the same for equal names.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is no attribute at all.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    /// Reads the text in exactly the form in which it is written, at most [`Name::MAX_TEXT`] bytes, in the string
    /// types of NAM-04.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        parse::parse(text)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Name({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn common_name(text: &str) -> String {
        Name::new(&[(Attribute::CommonName, text)]).expect("a name").to_string()
    }

    #[test]
    fn the_last_rdn_comes_first() {
        let name = Name::new(&[
            (Attribute::Country, "JP"),
            (Attribute::Organization, "株式会社 更新"),
            (Attribute::OrganizationalUnit, "経理部"),
            (Attribute::CommonName, "U-0001"),
        ]);
        assert_eq!(name.expect("a name").to_string(), "CN=U-0001,OU=経理部,O=株式会社 更新,C=JP");
    }

    #[test]
    fn special_characters_are_escaped_as_rfc_4514_says() {
        for (value, text) in [
            ("James \"Jim\" Smith, III", r#"CN=James \"Jim\" Smith\, III"#),
            ("#1", r"CN=\#1"),
            ("1#", "CN=1#"),
            (" a b ", r"CN=\ a b\ "),
            (" ", r"CN=\ "),
            ("a+b;c<d>e\\f=g", r"CN=a\+b\;c\<d\>e\\f=g"),
            ("Before\rAfter", r"CN=Before\0DAfter"),
            ("\0\u{85}", r"CN=\00\C2\85"),
        ] {
            assert_eq!(common_name(value), text);
        }
    }

    /// The DER of a name of one RDN, from OIDs, tags and the octets of values.
    fn rdn(attributes: &[(&str, u8, &[u8])]) -> Vec<u8> {
        let encode = |(oid, tag, value): &(&str, u8, &[u8])| {
            let oid = ObjectIdentifier::new_unwrap(oid).to_der().expect("DER");
            let length = u8::try_from(value.len()).expect("a short value");
            sequence(&[&oid, &[*tag, length], value])
        };
        let attributes: Vec<Vec<u8>> = attributes.iter().map(encode).collect();
        let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
        sequence(&[&wrap(Tag::Set, &attributes)])
    }

    fn text(attributes: &[(&str, u8, &[u8])]) -> String {
        Name::from_der(&rdn(attributes)).expect("a name").to_string()
    }

    const CN: &str = "2.5.4.3";
    const OU: &str = "2.5.4.11";

    #[test]
    fn other_types_are_dotted_numbers_and_what_is_no_text_hexadecimal() {
        assert_eq!(text(&[("2.5.4.5", 19, b"123")]), "2.5.4.5=123");
        assert_eq!(text(&[("2.5.4.45", 3, b"\0\x01")]), "2.5.4.45=#03020001");
        assert_eq!(text(&[("1.3.6.1.4.1.1466.0", 4, b"Hi")]), "1.3.6.1.4.1.1466.0=#04024869");
    }

    #[test]
    fn no_string_type_makes_a_difference_whose_characters_are_certain() {
        for (tag, value) in [
            (12, &b"a@b"[..]),
            (18, b"a@b"),
            (19, b"a@b"),
            (22, b"a@b"),
            (26, b"a@b"),
            (28, b"\0\0\0a\0\0\0@\0\0\0b"),
            (30, b"\0a\0@\0b"),
        ] {
            assert_eq!(text(&[(CN, tag, value)]), "CN=a@b", "{tag}");
        }
        assert_eq!(text(&[(CN, 30, b"\xd8\x42\xdf\xb7")]), "CN=𠮷");
        assert_eq!(text(&[(CN, 28, b"\0\x02\x0b\xb7")]), "CN=𠮷");
        assert_eq!(text(&[(CN, 20, b"abc")]), "CN=#1403616263");
    }

    #[test]
    fn what_its_string_type_does_not_allow_is_hexadecimal() {
        for (tag, value, expected) in [
            (12, &b"\xff"[..], "CN=#0c01ff"),
            (19, b"\xe9", "CN=#1301e9"),
            (22, b"\x80", "CN=#160180"),
            (30, b"\0a\0", "CN=#1e03006100"),
            (30, b"\xd8\x42", "CN=#1e02d842"),
            (28, b"\0\x11\0\0", "CN=#1c0400110000"),
            (28, b"\0a", "CN=#1c020061"),
        ] {
            assert_eq!(text(&[(CN, tag, value)]), expected);
        }
    }

    #[test]
    fn the_attributes_of_an_rdn_are_a_set_sorted_as_they_are_written() {
        let (utf8, bmp) = ((CN, 12, &b"ab"[..]), (CN, 30, &b"\0a\0b"[..]));
        let unit = (OU, 12, &b"xyz"[..]);
        for attributes in [[utf8, unit], [unit, utf8], [bmp, unit], [unit, bmp]] {
            assert_eq!(text(&attributes), "CN=ab+OU=xyz");
        }
        assert_eq!(text(&[utf8, bmp, utf8]), "CN=ab");
        assert_eq!(text(&[(CN, 12, b"b"), (CN, 19, b"a")]), "CN=a+CN=b");
        assert_eq!(Name::from_der(&rdn(&[])).map(drop), Err(InvalidName));
    }

    #[test]
    fn names_are_equal_and_hash_alike_whose_texts_are_the_same() {
        let name = |attributes: &[_]| Name::from_der(&rdn(attributes)).expect("a name");
        let one = name(&[(CN, 12, b"ab"), (OU, 12, b"xyz")]);
        let other = name(&[(OU, 19, b"xyz"), (CN, 30, b"\0a\0b")]);
        assert_ne!(one.der(), other.der());
        assert_eq!(HashSet::from([one.clone(), other]).len(), 1);
        assert_ne!(one, name(&[(CN, 12, b"AB"), (OU, 12, b"xyz")]));
    }

    #[test]
    fn an_empty_name_is_empty_and_an_empty_attribute_is_refused() {
        assert!(Name::new(&[]).expect("a name").is_empty());
        assert_eq!(Name::new(&[(Attribute::CommonName, "")]), Err(InvalidName));
        assert_eq!(Name::from_der(b"\x30\x01\x00"), Err(InvalidName));
    }
}
