//! The bank's side of Koshin.
