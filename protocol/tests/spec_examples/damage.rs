//! What comes from outside never panics: bytes of any kind, and examples with damage.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{examples, objects};

/// Reads the bytes as every object; what one accepts, it accepts again as it wrote it.
fn read_as_every_object(bytes: &[u8]) -> Result<(), TestCaseError> {
    for object in objects::ALL {
        if let Ok(written) = (object.round_trip)(bytes) {
            let again = (object.round_trip)(written.to_string().as_bytes());
            prop_assert_eq!(again, Ok(written), "{}", object.name);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_as_every_object(&bytes)?;
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
        read_as_every_object(text.as_bytes())?;
    }

    #[test]
    fn a_damaged_example_is_read_or_refused(
        which in any::<Index>(),
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        let examples = examples();
        let mut bytes = which.get(&examples).json.clone().into_bytes();
        *at.get_mut(&mut bytes) = byte;
        read_as_every_object(&bytes)?;
    }

    #[test]
    fn a_truncated_example_is_refused(which in any::<Index>(), at in any::<Index>()) {
        let examples = examples();
        let example = which.get(&examples);
        let whole = example.json.trim_end().as_bytes();
        let object = objects::of(&example.object);
        prop_assert!((object.round_trip)(&whole[..at.index(whole.len())]).is_err());
    }
}
