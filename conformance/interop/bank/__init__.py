"""A bank of profile core, written from SPEC.md."""
