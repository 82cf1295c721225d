"""A client, written from SPEC.md."""
