"""Public keys (SPEC.md 6.2) and their thumbprints (4.6)."""

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import base64url, json_text

MEMBERS = {"EC": {"kty", "crv", "x", "y"}, "OKP": {"kty", "crv", "x"}, "RSA": {"kty", "n", "e"}}
CURVES = {"P-256": (ec.SECP256R1(), 32), "P-384": (ec.SECP384R1(), 48)}
PRIME_25519 = 2**255 - 19


class BadKey(ValueError):
    """A key that SPEC.md 6.2 does not allow."""


class PublicKey:
    """A key that was checked: its type, its JWK, and the library's object."""

    def __init__(self, key_type, members, verifier):
        self.key_type, self.members, self.verifier = key_type, members, verifier
        self.thumbprint = base64url.encode(hashlib.sha256(json_text.canonical(members)).digest())

    def canonical(self):
        return json_text.canonical(self.members)


def read(jwk):
    """The key of a JWK, or BadKey."""
    try:
        kty = jwk["kty"]
        if set(jwk) != MEMBERS[kty] or not all(isinstance(value, str) for value in jwk.values()):
            raise BadKey("other members")
        values = {name: base64url.decode(jwk[name]) for name in MEMBERS[kty] - {"kty", "crv"}}
        if kty == "EC":
            return _ec(jwk["crv"], values["x"], values["y"])
        if kty == "OKP":
            return _ed25519(jwk["crv"], values["x"])
        return _rsa(values["n"], values["e"])
    except BadKey:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise BadKey(str(error)) from error


def of(key):
    """The checked key of a public key of the library (of a certificate, of a private key), or BadKey."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return _rsa(_octets(numbers.n), _octets(numbers.e))
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _ed25519("Ed25519", key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    if isinstance(key, ec.EllipticCurvePublicKey):
        for crv, (curve, length) in CURVES.items():
            if key.curve.name == curve.name:
                numbers = key.public_numbers()
                return _ec(crv, numbers.x.to_bytes(length, "big"), numbers.y.to_bytes(length, "big"))
    raise BadKey("a type of key that SPEC.md 6.2 does not have")


def _octets(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _ec(crv, x, y):
    curve, length = CURVES[crv]
    if len(x) != length or len(y) != length:
        raise BadKey("coordinates that are not full length")
    try:
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve)
        verifier = numbers.public_key()
    except ValueError as error:
        raise BadKey("no point of its curve") from error
    members = {"kty": "EC", "crv": crv, "x": base64url.encode(x), "y": base64url.encode(y)}
    return PublicKey(crv, members, verifier)


def _ed25519(crv, x):
    if crv != "Ed25519" or len(x) != 32:
        raise BadKey("no Ed25519 key")
    point = _decompress(x)
    for _ in range(3):
        point = _double(point)
    if point == (0, 1):
        raise BadKey("a point of small order")
    members = {"kty": "OKP", "crv": crv, "x": base64url.encode(x)}
    return PublicKey(crv, members, ed25519.Ed25519PublicKey.from_public_bytes(x))


def _rsa(n, e):
    modulus = int.from_bytes(n, "big")
    if e != b"\x01\x00\x01":
        raise BadKey("another exponent than 65537")
    if not 256 <= len(n) <= 1024 or modulus.bit_length() != 8 * len(n) or not modulus & 1:
        raise BadKey("a modulus that is not of 2048 to 8192 bits, a multiple of 8, and odd")
    members = {"kty": "RSA", "n": base64url.encode(n), "e": base64url.encode(e)}
    return PublicKey("RSA", members, rsa.RSAPublicNumbers(65537, modulus).public_key())


# RFC 8032 5.1.3: only as much of the curve as tells a canonical point of large order.
_P = PRIME_25519
_D = -121665 * pow(121666, _P - 2, _P) % _P


def _decompress(octets):
    number = int.from_bytes(octets, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        raise BadKey("not canonical")
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if x * x % _P != square:
        raise BadKey("no point")
    if x == 0 and sign:
        raise BadKey("not canonical")
    return (_P - x if x & 1 != sign else x), y


def _double(point):
    x, y = point
    both = _D * x * x % _P * y % _P * y % _P
    return (
        2 * x * y * pow(1 + both, _P - 2, _P) % _P,
        (y * y + x * x) * pow(1 - both, _P - 2, _P) % _P,
    )
