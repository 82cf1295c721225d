//! What customers do, step by step. Deeds with a plain name must succeed and block the case where they do not; those that begin
//! with `try_` give the answer for the case to judge.

mod enrollment;
mod order;
mod session;
mod stage;

pub use enrollment::Ticket;
pub use order::{Placed, Renewed};
pub use session::Logon;
pub use stage::{Reissued, Staged, remedy, same_order};
