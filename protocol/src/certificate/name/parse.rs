//! Names read from their text (SPEC.md 4.7), the inverse of how they are written.

use der::asn1::ObjectIdentifier;
use der::{Encode, Tag};

use super::{Attribute, InvalidName, Name, encode};
use crate::certificate::signed::{sequence, wrap};

/// Only the one form that is written is read, so that a text and its DER are the same name.
pub(super) fn parse(text: &str) -> Result<Name, InvalidName> {
    if text.len() > Name::MAX_TEXT {
        return Err(InvalidName);
    }
    let mut rdns = Vec::new();
    if !text.is_empty() {
        for rdn in split(text, ',').into_iter().rev() {
            let attributes: Result<Vec<_>, _> =
                split(rdn, '+').into_iter().map(attribute).collect();
            let mut attributes = attributes?;
            // X.690 section 11.6
            attributes.sort();
            rdns.push(wrap(Tag::Set, &slices(&attributes)));
        }
    }
    let name = Name::from_der(&sequence(&slices(&rdns)))?;
    if name.as_str() == text { Ok(name) } else { Err(InvalidName) }
}

fn slices(parts: &[Vec<u8>]) -> Vec<&[u8]> {
    parts.iter().map(Vec::as_slice).collect()
}

/// Splits at a separator that no backslash stands before.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut escaped = false;
    text.split(|character| {
        let here = character == separator && !escaped;
        escaped = character == '\\' && !escaped;
        here
    })
    .collect()
}

fn attribute(text: &str) -> Result<Vec<u8>, InvalidName> {
    let (kind, value) = text.split_once('=').ok_or(InvalidName)?;
    let oid = match Attribute::called(kind) {
        Some(known) => known.oid(),
        None => ObjectIdentifier::new(kind).map_err(|_| InvalidName)?,
    };
    match value.strip_prefix('#') {
        Some(hexadecimal) => {
            let value = bytes(hexadecimal)?;
            oid.to_der().map(|oid| sequence(&[&oid, &value]))
        }
        None => encode(oid, &unescape(value)?),
    }
    .map_err(|_| InvalidName)
}

fn unescape(text: &str) -> Result<String, InvalidName> {
    let mut characters = text.chars();
    let mut unescaped = Vec::with_capacity(text.len());
    while let Some(character) = characters.next() {
        if character != '\\' {
            unescaped.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let next = characters.next().ok_or(InvalidName)?;
        if next.is_ascii_hexdigit() {
            let pair = String::from_iter([next, characters.next().ok_or(InvalidName)?]);
            unescaped.push(u8::from_str_radix(&pair, 16).map_err(|_| InvalidName)?);
        } else {
            unescaped.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    String::from_utf8(unescaped).map_err(|_| InvalidName)
}

fn bytes(hexadecimal: &str) -> Result<Vec<u8>, InvalidName> {
    let (pairs, rest) = hexadecimal.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(InvalidName);
    }
    let pair = |pair: &[u8; 2]| {
        let text = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(text, 16).ok()
    };
    pairs.iter().map(pair).collect::<Option<_>>().ok_or(InvalidName)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_in_the_form_in_which_it_is_written() {
        for text in [
            "",
            "CN=Tanaka Hanako,O=Example K.K.,C=JP",
            r"CN=田中 花子+UID=u-1001,OU=Accounting\, East,O=Example K.K.,C=JP",
            r"CN=\#1\+\\ \ ",
            "1.3.6.1.4.1.1466.0=#04024869",
            "DC=example,DC=net",
            "CN=#04024869",
            "CN=#1403616263",
            "2.5.4.5=123",
            r"2.5.4.5=\#1303313233",
            "C=日本,DC=日本",
            "CN=,O=x",
            "CN=ab+CN=b+OU=xyz",
        ] {
            let name: Name = text.parse().expect(text);
            assert_eq!(name.as_str(), text);
        }
    }

    #[test]
    fn text_and_attributes_make_the_same_der() {
        let made = Name::new(&[
            (Attribute::Country, "JP"),
            (Attribute::Organization, "株式会社, 更新"),
            (Attribute::CommonName, " x"),
        ]);
        let read: Name = r"CN=\ x,O=株式会社\, 更新,C=JP".parse().expect("a name");
        assert_eq!(read.der(), made.expect("a name").der());
    }

    #[test]
    fn each_type_of_attribute_has_its_string_type_where_that_has_the_characters() {
        for (text, tag) in [
            ("CN=a", 12),
            ("C=JP", 19),
            ("C=日", 12),
            ("2.5.4.5=123", 19),
            ("2.5.4.5=a_b", 12),
            ("2.5.4.46=1", 19),
            ("DC=example", 22),
            ("DC=日", 12),
            ("1.2.840.113549.1.9.1=a@b", 22),
            ("2.5.4.12=a", 12),
        ] {
            let name: Name = text.parse().expect(text);
            // SEQUENCE, SET, SEQUENCE, OID with its length, then the value.
            assert_eq!(name.der()[8 + usize::from(name.der()[7])], tag, "{text}");
        }
    }

    #[test]
    fn the_attributes_of_an_rdn_are_in_the_order_of_der() {
        let name: Name = "CN=abcd+OU=xyz".parse().expect("a name");
        let (first, second) = (b"\x55\x04\x0b\x0c\x03xyz", b"\x55\x04\x03\x0c\x04abcd");
        let at = |part: &[u8]| name.der().windows(part.len()).position(|found| found == part);
        assert!(at(first).is_some() && at(first) < at(second), "{:02x?}", name.der());
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "CN",
            "=x",
            "cn=x",
            "OU=xyz+CN=ab",
            "CN=ab+CN=ab",
            "CN=a,,O=x",
            "CN=a+",
            "CN=x,",
            ",CN=x",
            "CN=x, O=y",
            "CN= x",
            r"CN=x\",
            r"CN=\78",
            r"CN=\0d",
            "CN=#0c017",
            "CN=#0C0178",
            "CN=#0c0178",
            "2.5.4.3=#0c0178",
            "2.5.4.3=x",
            "2.5.4.5=#1303313233",
            "CN=\n",
            "CN=a;O=b",
        ] {
            assert_eq!(text.parse::<Name>(), Err(InvalidName), "{text}");
        }
        assert!(format!("CN={}", "x".repeat(Name::MAX_TEXT)).parse::<Name>().is_err());
    }
}
