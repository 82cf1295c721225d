"""certIDs (SPEC.md 4.5) and the certificates that they name."""

import hashlib

from cryptography import x509

from . import base64url, der

LONGEST = (64, 21)


def load(octets):
    """A certificate from the DER of one certificate and nothing else, or ValueError."""
    der.only(octets, der.SEQUENCE)
    return x509.load_der_x509_certificate(octets)


def of(certificate):
    serial = certificate.serial_number
    content = serial.to_bytes(serial.bit_length() // 8 + 1, "big", signed=True)
    return base64url.encode(_key_identifier(certificate)) + "." + base64url.encode(content)


def _key_identifier(certificate):
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        found = None
    return found or hashlib.sha256(certificate.issuer.public_bytes()).digest()


def read(text):
    """(keyIdentifier, serial), or ValueError where the text has not the form."""
    if not isinstance(text, str):
        raise ValueError("no certID")
    parts = [base64url.decode(part) for part in text.split(".")]
    if len(parts) != 2 or not all(parts) or any(len(part) > most for part, most in zip(parts, LONGEST)):
        raise ValueError("not two values")
    serial = parts[1]
    if len(serial) > 1 and (serial[0] == 0 and serial[1] < 0x80 or serial[0] == 0xFF and serial[1] >= 0x80):
        raise ValueError("a serial number in more octets than needed")
    return parts[0], serial
