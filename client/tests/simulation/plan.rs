//! What goes wrong, and when.

use crate::chance::Chance;
use crate::disk::{EIO, ENOSPC, Fault};

/// What goes wrong. Machines are numbered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// A machine's program is killed, or its power goes; it begins again after some steps.
    Kill { machine: usize, power: Option<u64>, down: u64 },
    /// The same, in the middle of one of the next file operations.
    Stop { machine: usize, operations: usize, power: Option<u64>, down: u64 },
    /// One of the next file operations fails.
    Fail { machine: usize, operations: usize, number: i32 },
    /// The bank's process is killed.
    KillBank { down: u64 },
    /// Nothing goes between a machine and the bank for some steps.
    Cut { machine: usize, way: Way, steps: u64 },
    /// All is held back for some steps, and then delivered at once.
    Hold { machine: usize, steps: u64 },
    /// A machine's clock shows so many seconds more than the right time.
    Clock { machine: usize, ahead: i64 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Both,
    ToBank,
    FromBank,
}

/// Steps within which things go wrong.
pub(crate) const TROUBLED: u64 = 300;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

impl Trouble {
    pub(crate) fn any(chance: &mut Chance, machines: usize) -> Self {
        let machine = usize::try_from(chance.below(u64::try_from(machines).unwrap())).unwrap();
        let down = chance.between(1, 50);
        let power = (!chance.once_in(3)).then(|| chance.below(9));
        let operations = usize::try_from(chance.below(70)).unwrap();
        match chance.below(12) {
            0 | 1 => Self::Kill { machine, power, down },
            2..=4 => Self::Stop { machine, operations, power, down },
            5 => Self::Fail { machine, operations, number: chance.one_of(&[EIO, ENOSPC]) },
            6 | 7 => Self::KillBank { down },
            8 => {
                let way = chance.one_of(&[Way::Both, Way::ToBank, Way::FromBank]);
                Self::Cut { machine, way, steps: chance.between(1, 120) }
            }
            9 | 10 => Self::Hold { machine, steps: chance.between(1, 120) },
            _ => {
                let ahead =
                    [-40 * DAY, -DAY, -9 * 3600, -5 * MINUTE, 3 * MINUTE, 9 * 3600, 40 * DAY];
                Self::Clock { machine, ahead: chance.one_of(&ahead) }
            }
        }
    }

    /// Several, each with its step, in their order.
    pub(crate) fn several(chance: &mut Chance, machines: usize) -> Vec<(u64, Self)> {
        let count = chance.between(2, 10);
        let mut all = Vec::new();
        for _ in 0..count {
            all.push((chance.below(TROUBLED), Self::any(chance, machines)));
        }
        all.sort_by_key(|(step, _)| *step);
        all
    }

    /// The fault of a machine's disk that this is.
    pub(crate) fn of_disk(self) -> Option<(usize, usize, Fault)> {
        match self {
            Self::Stop { machine, operations, .. } => Some((machine, operations, Fault::Stop)),
            Self::Fail { machine, operations, number } => {
                Some((machine, operations, Fault::Error(number)))
            }
            Self::Kill { .. }
            | Self::KillBank { .. }
            | Self::Cut { .. }
            | Self::Hold { .. }
            | Self::Clock { .. } => None,
        }
    }
}
