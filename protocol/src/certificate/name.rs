//! Distinguished names: their DER, and their one text form (RFC 4514).

mod parse;

use std::fmt::{self, Write as _};
use std::str::FromStr;

use der::asn1::{BmpString, Ia5StringRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use der::{Decode, Encode, Tag, Tagged};
use thiserror::Error;
use x509_cert::attr::{AttributeTypeAndValue, AttributeValue};
use x509_cert::name::Name as X509Name;

use super::signed::{sequence, wrap};

/// A distinguished name. Two names are equal if their DER is.
///
/// Its `Display` is the RFC 4514 string: the last RDN first, attribute types by the short names of
/// RFC 4514 section 3 or else as dotted numbers with the value in hexadecimal, control characters
/// escaped as well.
#[derive(Clone, PartialEq, Eq, Hash)]
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

    /// RFC 5280 appendix A and RFC 4519 fix the string types of two; the rest is UTF-8.
    fn value(self, text: &str) -> der::Result<Vec<u8>> {
        match self {
            Self::Country => PrintableStringRef::new(text)?.to_der(),
            Self::DomainComponent => Ia5StringRef::new(text)?.to_der(),
            Self::CommonName
            | Self::Locality
            | Self::StateOrProvince
            | Self::Organization
            | Self::OrganizationalUnit
            | Self::Street
            | Self::UserId => Utf8StringRef::new(text)?.to_der(),
        }
    }
}

impl Name {
    /// Makes a name of attributes in the order of the DER, each an RDN of its own.
    pub fn new(attributes: &[(Attribute, &str)]) -> Result<Self, InvalidName> {
        let mut rdns = Vec::with_capacity(attributes.len());
        for (attribute, text) in attributes {
            if text.is_empty() {
                return Err(InvalidName);
            }
            let value = attribute.value(text).map_err(|_| InvalidName)?;
            let oid = attribute.oid().to_der().map_err(|_| InvalidName)?;
            rdns.push(wrap(Tag::Set, &[&sequence(&[&oid, &value])]));
        }
        let rdns: Vec<&[u8]> = rdns.iter().map(Vec::as_slice).collect();
        Self::from_der(&sequence(&rdns))
    }

    /// Reads the DER of a name.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidName> {
        let name = X509Name::from_der(der).map_err(|_| InvalidName)?;
        Ok(Self { der: der.into(), text: text(&name).into() })
    }

    /// The name in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The RFC 4514 string.
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

    /// Reads the text in exactly the form in which it is written, at most 4096 bytes. Strings
    /// become `UTF8String`, except `PrintableString` for `C` and `IA5String` for `DC`.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        parse::parse(text)
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

/// RFC 4514 section 2.1 and 2.2
fn text(name: &X509Name) -> String {
    let mut rdns: Vec<String> = Vec::new();
    for rdn in name.iter_rdn() {
        let attributes: Vec<String> = rdn.iter().map(attribute_text).collect();
        rdns.push(attributes.join("+"));
    }
    rdns.reverse();
    rdns.join(",")
}

/// RFC 4514 section 2.3
fn attribute_text(attribute: &AttributeTypeAndValue) -> String {
    let known = Attribute::ALL.into_iter().find(|known| known.oid() == attribute.oid);
    match (known, string(&attribute.value)) {
        (Some(known), Some(value)) => format!("{}={}", known.short_name(), escape(&value)),
        (Some(known), None) => format!("{}={}", known.short_name(), hexadecimal(&attribute.value)),
        (None, _) => format!("{}={}", attribute.oid, hexadecimal(&attribute.value)),
    }
}

/// The value of the string types whose characters are certain.
fn string(value: &AttributeValue) -> Option<String> {
    match value.tag() {
        Tag::Utf8String => value.decode_as::<Utf8StringRef<'_>>().ok().map(|text| text.to_string()),
        Tag::PrintableString => {
            value.decode_as::<PrintableStringRef<'_>>().ok().map(|text| text.to_string())
        }
        Tag::Ia5String => value.decode_as::<Ia5StringRef<'_>>().ok().map(|text| text.to_string()),
        Tag::BmpString => value.decode_as::<BmpString>().ok().map(|text| text.to_string()),
        _ => None,
    }
}

/// RFC 4514 section 2.4
fn hexadecimal(value: &AttributeValue) -> String {
    let der = value.to_der().unwrap_or_default();
    der.iter().fold(String::from("#"), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String");
        text
    })
}

/// RFC 4514 section 2.4; other control characters are escaped as it permits.
fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (index, character) in value.chars().enumerate() {
        match character {
            '#' if index == 0 => text.push_str("\\#"),
            ' ' if index == 0 || index == last => text.push_str("\\ "),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            control if control.is_control() => {
                for byte in control.encode_utf8(&mut [0; 4]).bytes() {
                    write!(text, "\\{byte:02X}").expect("writing to a String");
                }
            }
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn other_types_are_dotted_numbers_and_their_values_hexadecimal() {
        // RFC 4514 section 4: 1.3.6.1.4.1.1466.0=#04024869
        let value = [4, 2, b'H', b'i'];
        let oid = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.1466.0").to_der().expect("DER");
        let der = sequence(&[&wrap(Tag::Set, &[&sequence(&[&oid, &value])])]);
        let name = Name::from_der(&der).expect("a name");
        assert_eq!(name.to_string(), "1.3.6.1.4.1.1466.0=#04024869");
    }

    #[test]
    fn several_attributes_of_one_rdn_are_joined_by_plus() {
        let attribute = |attribute: Attribute, text: &str| {
            let oid = attribute.oid().to_der().expect("DER");
            sequence(&[&oid, &attribute.value(text).expect("DER")])
        };
        let sales = attribute(Attribute::OrganizationalUnit, "Sales");
        let smith = attribute(Attribute::CommonName, "J.  Smith");
        let set = wrap(Tag::Set, &[&sales, &smith]);
        let name = Name::from_der(&sequence(&[&set])).expect("a name");
        assert_eq!(name.to_string(), "OU=Sales+CN=J.  Smith");
    }

    #[test]
    fn an_empty_name_is_empty_and_an_empty_attribute_is_refused() {
        assert!(Name::new(&[]).expect("a name").is_empty());
        assert_eq!(Name::new(&[(Attribute::CommonName, "")]), Err(InvalidName));
        assert_eq!(Name::new(&[(Attribute::Country, "日本")]), Err(InvalidName));
        assert_eq!(Name::from_der(b"\x30\x01\x00"), Err(InvalidName));
    }
}
