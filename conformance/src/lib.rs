//! Tells whether a bank or a client follows SPEC.md.
