"""The encodings, objects and signatures of SPEC.md, as both sides of the second implementation need them."""
