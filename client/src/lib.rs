//! The user's side of Koshin.
