//! SPEC.md 4: encodings.

use koshin_protocol::problem::Token;

use super::good::Good;
use super::{Bank, case};
use crate::case::Case;

/// The cases of this chapter.
pub(super) fn cases() -> Vec<Case<Bank>> {
    vec![
        case("json/byte-order-mark", "A request that begins with a byte order mark is malformed.")
            .shows(&["ENC-10"])
            .run(|bank: Bank| async move {
                let mark = |body: &mut Vec<u8>| {
                    body.splice(..0, *b"\xef\xbb\xbf");
                };
                bank.refuses(Good::Logon, |draft| draft.edit_body(mark), Token::Malformed).await?;
                Ok(())
            }),
    ]
}
