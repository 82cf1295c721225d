//! Ids and serial numbers that name the subject that they belong to, and tell nobody so.
//!
//! An id is the AES-128 encryption of a block that holds what kind it is, the row of its subject, and 64 random bits. So
//! no index finds an order or a session, and to somebody without the bank's key the ids are random: a block cipher is a
//! permutation that cannot be told from a random one.

use aws_lc_rs::cipher::{
    AES_128, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey,
};

use crate::id::{OrderId, SessionId};

/// What a block is the id of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Order = 1,
    Session = 2,
    Serial = 3,
}

/// Makes ids and reads the row of their subject.
pub struct Ids {
    encrypting: EncryptingKey,
    decrypting: DecryptingKey,
}

/// The octet before the block in a serial number, so that each is positive and has the same 17 octets in DER and as a
/// number (RFC 5280 4.1.2.2 allows 20).
const POSITIVE: u8 = 0x4b;

impl Ids {
    /// With the bank's key.
    pub fn new(key: &[u8; 16]) -> Self {
        let key = || UnboundCipherKey::new(&AES_128, key).expect("16 octets are a key of AES-128");
        Self {
            encrypting: EncryptingKey::ecb(key()).expect("AES-128 has a mode of single blocks"),
            decrypting: DecryptingKey::ecb(key()).expect("AES-128 has a mode of single blocks"),
        }
    }

    /// An id for an order of the subject in this row.
    pub fn order(&self, subject: u64) -> OrderId {
        loop {
            let id = OrderId::from_bytes(self.block(Kind::Order, subject));
            if id.is_plain() {
                return id;
            }
        }
    }

    /// An id for a session of the subject in this row.
    pub fn session(&self, subject: u64) -> SessionId {
        loop {
            let id = SessionId::from_bytes(self.block(Kind::Session, subject));
            if id.is_plain() {
                return id;
            }
        }
    }

    /// A serial number for a certificate of the subject in this row.
    pub fn serial(&self, subject: u64) -> [u8; 17] {
        let mut serial = [POSITIVE; 17];
        serial[1..].copy_from_slice(&self.block(Kind::Serial, subject));
        serial
    }

    /// The row of an order's subject, if the bank made this id.
    pub fn subject_of_order(&self, order: OrderId) -> Option<u64> {
        self.subject(Kind::Order, order.as_bytes())
    }

    /// The row of a session's subject, if the bank made this id.
    pub fn subject_of_session(&self, session: SessionId) -> Option<u64> {
        self.subject(Kind::Session, session.as_bytes())
    }

    /// The row of a certificate's subject, if the bank made this serial number.
    pub fn subject_of_serial(&self, serial: &[u8]) -> Option<u64> {
        let (&POSITIVE, block) = serial.split_first()? else { return None };
        self.subject(Kind::Serial, block.try_into().ok()?)
    }

    fn block(&self, kind: Kind, subject: u64) -> [u8; 16] {
        let mut block = [0; 16];
        block[0] = kind as u8;
        block[1..8].copy_from_slice(&subject.to_be_bytes()[1..]);
        getrandom::fill(&mut block[8..]).expect("the system has randomness");
        self.encrypting.encrypt(&mut block).expect("one block is a whole number of blocks");
        block
    }

    fn subject(&self, kind: Kind, block: &[u8; 16]) -> Option<u64> {
        let mut block = *block;
        let plain = self.decrypting.decrypt(&mut block, DecryptionContext::None).ok()?;
        let (head, _) = plain.split_first_chunk::<8>()?;
        let mut number = *head;
        number[0] = 0;
        (head[0] == kind as u8).then(|| u64::from_be_bytes(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_subject_and_its_kind_alone() {
        let ids = Ids::new(&[7; 16]);
        let order = ids.order(5);
        assert_eq!(ids.subject_of_order(order), Some(5));
        assert_eq!(ids.subject_of_session(SessionId::from_bytes(*order.as_bytes())), None);
        assert_eq!(ids.subject_of_session(ids.session(1 << 40)), Some(1 << 40));
        assert_eq!(ids.subject_of_serial(&ids.serial(9)), Some(9));
        assert_eq!(ids.subject_of_serial(&ids.serial(9)[1..]), None);
    }

    #[test]
    fn no_two_ids_of_a_subject_are_equal_and_another_bank_reads_none() {
        let (ids, other) = (Ids::new(&[7; 16]), Ids::new(&[8; 16]));
        let made: std::collections::HashSet<_> = (0..1000).map(|_| ids.order(5)).collect();
        assert_eq!(made.len(), 1000);
        // One in 256 of another bank's ids has the right kind by chance, and then a subject that is not there.
        let read = made.iter().filter_map(|id| other.subject_of_order(*id)).collect::<Vec<_>>();
        assert!(read.len() < 50 && !read.contains(&5), "{read:?}");
    }
}
