//! Names written as text (SPEC.md 4.7). No string type and no order of DER shows in it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, ErrorKind, Length, Reader, SliceReader, Tag, Tagged};

use super::Attribute;

const UTF8: u8 = 12;
const NUMERIC: u8 = 18;
const PRINTABLE: u8 = 19;
const IA5: u8 = 22;
const VISIBLE: u8 = 26;
const UNIVERSAL: u8 = 28;
const BMP: u8 = 30;

/// The text of a name in DER: the RDNs in reverse order.
pub(super) fn text(der: &[u8]) -> der::Result<String> {
    let mut reader = SliceReader::new(der)?;
    let mut rdns = reader.sequence(|name| {
        let mut rdns = Vec::new();
        while !name.is_finished() {
            rdns.push(rdn(AnyRef::decode(name)?)?);
        }
        der::Result::Ok(rdns)
    })?;
    reader.finish()?;
    rdns.reverse();
    Ok(rdns.join(","))
}

/// The attributes of an RDN, a set: sorted as they are written, the same one once.
fn rdn(set: AnyRef<'_>) -> der::Result<String> {
    set.tag().assert_eq(Tag::Set)?;
    let mut reader = SliceReader::new(set.value())?;
    let mut attributes = BTreeSet::new();
    while !reader.is_finished() {
        attributes.insert(reader.sequence(attribute)?);
    }
    if attributes.is_empty() {
        return Err(ErrorKind::Failed.into());
    }
    Ok(Vec::from_iter(attributes).join("+"))
}

fn attribute(reader: &mut SliceReader<'_>) -> der::Result<String> {
    let oid = ObjectIdentifier::decode(reader)?;
    let value = Value::read(reader)?;
    let value = value.characters().map_or_else(|| hexadecimal(value.der), |text| escape(&text));
    Ok(match Attribute::of(oid) {
        Some(known) => format!("{}={value}", known.short_name()),
        None => format!("{oid}={value}"),
    })
}

/// The value of an attribute. [`AnyRef`] has no `UniversalString`.
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
    der: &'a [u8],
}

impl<'a> Value<'a> {
    fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        let der = reader.read_slice(reader.remaining_len())?;
        let mut reader = SliceReader::new(der)?;
        let tag = reader.read_byte()?;
        if tag & 0x1f == 0x1f {
            // A number in further octets, which no string type has.
            return Err(ErrorKind::TagNumberInvalid.into());
        }
        let length = Length::decode(&mut reader)?;
        let content = reader.read_slice(length)?;
        reader.finish()?;
        Ok(Self { tag, content, der })
    }

    /// The characters, where the string type says for certain which they are.
    fn characters(&self) -> Option<String> {
        match self.tag {
            UTF8 => String::from_utf8(self.content.to_vec()).ok(),
            NUMERIC | PRINTABLE | IA5 | VISIBLE if self.content.is_ascii() => {
                String::from_utf8(self.content.to_vec()).ok()
            }
            BMP => {
                let (units, []) = self.content.as_chunks() else { return None };
                let units: Vec<u16> = units.iter().copied().map(u16::from_be_bytes).collect();
                String::from_utf16(&units).ok()
            }
            UNIVERSAL => {
                let (units, []) = self.content.as_chunks() else { return None };
                units.iter().copied().map(u32::from_be_bytes).map(char::from_u32).collect()
            }
            _ => None,
        }
    }
}

fn hexadecimal(der: &[u8]) -> String {
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
