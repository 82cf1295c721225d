"""b64url and DER in JSON (SPEC.md 4.1)."""

import base64
import re

URL_ALPHABET = re.compile(r"[A-Za-z0-9_-]*\Z")
STANDARD_ALPHABET = re.compile(r"[A-Za-z0-9+/]*={0,2}\Z")


def encode(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def decode(text):
    """The octets, or ValueError: what is not exactly what `encode` writes is no b64url."""
    if not isinstance(text, str) or not URL_ALPHABET.match(text):
        raise ValueError("a character outside the alphabet of base64url")
    if len(text) % 4 == 1:
        raise ValueError("a length that base64url cannot have")
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(octets) != text:
        raise ValueError("bits beyond the last octet that are not zero")
    return octets


def encode_der(octets):
    return base64.b64encode(octets).decode("ascii")


def decode_der(text):
    """The octets of standard base64 with its exact padding, or ValueError."""
    if not isinstance(text, str) or not STANDARD_ALPHABET.match(text) or len(text) % 4:
        raise ValueError("no base64 with exact padding")
    octets = base64.b64decode(text)
    if not octets or encode_der(octets) != text:
        raise ValueError("bits beyond the last octet that are not zero, or no octets")
    return octets
