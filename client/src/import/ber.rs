//! BER to DER for PKCS#12 files: NSS (Firefox, `pk12util`) writes indefinite lengths and strings in pieces, which DER forbids
//! and DER readers refuse (X.690, 8.1.3.6, 8.7.3 and 10).

/// One element of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Element<'a> {
    /// Tag and content octets.
    Primitive(u8, std::borrow::Cow<'a, [u8]>),
    /// Tag and elements within.
    Constructed(u8, Vec<Element<'a>>),
}

/// The bytes are not BER, or BER that no PKCS#12 file needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not BER at byte {0}")]
pub(super) struct NotBer(pub(super) usize);

pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const CONTEXT_0: u8 = 0xa0;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SET: u8 = 0x31;
const CONSTRUCTED: u8 = 0x20;
const CONTEXT_0_PRIMITIVE: u8 = 0x80;

/// A real file nests 9 deep.
const MAX_DEPTH: usize = 32;

impl<'a> Element<'a> {
    /// Reads one element that fills `bytes`, strings joined and sets sorted as DER has them.
    /// The content of a string stays as it is, whatever encoding is within.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, NotBer> {
        let mut reader = Reader { bytes, at: 0 };
        let element = reader.element(0)?;
        if reader.at == bytes.len() { Ok(element) } else { Err(NotBer(reader.at)) }
    }

    /// The element in DER.
    pub(super) fn to_der(&self) -> Vec<u8> {
        let (tag, content) = match self {
            Self::Primitive(tag, content) => (*tag, content.to_vec()),
            Self::Constructed(tag, within) => {
                let mut encoded = within.iter().map(Self::to_der).collect::<Vec<_>>();
                if *tag == SET {
                    encoded.sort();
                }
                (*tag, encoded.concat())
            }
        };
        let mut der = vec![tag];
        push_length(&mut der, content.len());
        der.extend(content);
        der
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn element(&mut self, depth: usize) -> Result<Element<'a>, NotBer> {
        let start = self.at;
        let tag = self.byte()?;
        // Tags in more than one byte do not occur in PKCS#12; neither does anything this deep.
        if tag & 0x1f == 0x1f || depth > MAX_DEPTH {
            return Err(NotBer(start));
        }
        let length = self.length()?;
        if tag & CONSTRUCTED == 0 {
            let content = self.take(length.ok_or(NotBer(start))?)?;
            return Ok(Element::Primitive(tag, content.into()));
        }
        let end = match length {
            Some(length) => Some(self.at.checked_add(length).ok_or(NotBer(start))?),
            None => None,
        };
        let mut within = Vec::new();
        loop {
            match end {
                Some(end) if self.at == end => break,
                Some(end) if self.at > end => return Err(NotBer(start)),
                None if self.bytes.get(self.at..self.at + 2) == Some(&[0, 0]) => {
                    self.at += 2;
                    break;
                }
                Some(_) | None => {}
            }
            within.push(self.element(depth + 1)?);
        }
        canonical(tag, within, start)
    }

    fn length(&mut self) -> Result<Option<usize>, NotBer> {
        let start = self.at;
        match self.byte()? {
            0x80 => Ok(None),
            short @ 0..0x80 => Ok(Some(short.into())),
            long => {
                let count = usize::from(long & 0x7f);
                let octets = self.take(count)?;
                // Files are limited to 1 MiB before they come here: four octets are plenty.
                if count > 4 {
                    return Err(NotBer(start));
                }
                Ok(Some(octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet))))
            }
        }
    }

    fn byte(&mut self) -> Result<u8, NotBer> {
        let byte = *self.bytes.get(self.at).ok_or(NotBer(self.at))?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], NotBer> {
        let end = self.at.checked_add(count).ok_or(NotBer(self.at))?;
        let taken = self.bytes.get(self.at..end).ok_or(NotBer(self.at))?;
        self.at = end;
        Ok(taken)
    }
}

fn canonical(tag: u8, mut within: Vec<Element<'_>>, at: usize) -> Result<Element<'_>, NotBer> {
    if tag == OCTET_STRING | CONSTRUCTED {
        return Ok(Element::Primitive(OCTET_STRING, joined(&within, at)?.into()));
    }
    // EncryptedContentInfo (RFC 5652, 6.1): type, algorithm, and `[0] IMPLICIT OCTET STRING`, which in pieces looks like an
    // explicit tag. A ContentInfo has two members only, so the third place tells them apart.
    if tag == SEQUENCE
        && let [
            Element::Primitive(OBJECT_IDENTIFIER, _),
            Element::Constructed(SEQUENCE, _),
            Element::Constructed(CONTEXT_0, pieces),
        ] = within.as_slice()
    {
        let content = joined(pieces, at)?;
        within[2] = Element::Primitive(CONTEXT_0_PRIMITIVE, content.into());
    }
    Ok(Element::Constructed(tag, within))
}

fn joined(pieces: &[Element<'_>], at: usize) -> Result<Vec<u8>, NotBer> {
    let mut content = Vec::new();
    for piece in pieces {
        match piece {
            Element::Primitive(OCTET_STRING, octets) => content.extend_from_slice(octets),
            Element::Primitive(..) | Element::Constructed(..) => return Err(NotBer(at)),
        }
    }
    Ok(content)
}

fn push_length(der: &mut Vec<u8>, length: usize) {
    if let Ok(short @ 0..0x80) = u8::try_from(length) {
        der.push(short);
        return;
    }
    let octets = length.to_be_bytes();
    let skip = octets.iter().take_while(|octet| **octet == 0).count();
    let count = u8::try_from(octets.len() - skip).expect("a usize has at most 16 octets");
    der.push(0x80 | count);
    der.extend_from_slice(&octets[skip..]);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
    use super::*;

    fn der(ber: &[u8]) -> Result<Vec<u8>, NotBer> {
        Ok(Element::parse(ber)?.to_der())
    }

    #[test]
    fn indefinite_lengths_become_definite_and_pieces_one_string() {
        let ber = [0x30, 0x80, 0x24, 0x80, 0x04, 1, 7, 0x04, 2, 8, 9, 0, 0, 0x02, 1, 3, 0, 0];
        assert_eq!(der(&ber).unwrap(), [0x30, 8, 0x04, 3, 7, 8, 9, 0x02, 1, 3]);
    }

    #[test]
    fn encrypted_content_in_pieces_becomes_a_primitive_of_the_same_tag() {
        let ber =
            [0x30, 0x80, 0x06, 1, 42, 0x30, 0, 0xa0, 0x80, 0x04, 1, 7, 0x04, 1, 8, 0, 0, 0, 0];
        assert_eq!(der(&ber).unwrap(), [0x30, 9, 0x06, 1, 42, 0x30, 0, 0x80, 2, 7, 8]);
        let explicit = [0x30, 9, 0x06, 1, 42, 0xa0, 4, 0x04, 2, 7, 8];
        assert_eq!(der(&explicit).unwrap(), explicit);
    }

    #[test]
    fn sets_are_sorted() {
        assert_eq!(
            der(&[0x31, 6, 0x02, 1, 9, 0x02, 1, 3]).unwrap(),
            [0x31, 6, 0x02, 1, 3, 0x02, 1, 9]
        );
    }

    #[test]
    fn der_stays_as_it_is_with_long_lengths_too() {
        for length in [0, 127, 128, 255, 256, 70_000] {
            let element = Element::Primitive(OCTET_STRING, vec![5; length].into());
            let encoded = Element::Constructed(SEQUENCE, vec![element]).to_der();
            assert_eq!(der(&encoded).unwrap(), encoded, "{length}");
        }
    }

    #[test]
    fn rubbish_is_refused_and_never_a_panic() {
        let deep = [0x30, 0x80].repeat(100);
        for ber in [
            &deep[..],
            &[],
            &[0x30],
            &[0x30, 5, 0],
            &[0x30, 0x84, 255, 255, 255, 255],
            &[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            &[0x04, 0x80, 0, 0],
            &[0x24, 3, 0x02, 1, 1],
            &[0x30, 0, 0],
            &[0x1f, 1, 1],
            &[0x30, 3, 0x02, 2, 1, 1],
            &[0x30, 0x80, 0],
        ] {
            assert!(der(ber).is_err(), "{ber:02x?}");
        }
    }
}
