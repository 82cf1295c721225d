"""Requests for certificates (SPEC.md 6.3)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import der, jwk, name, problem

EC_KEY, ED25519_KEY = "1.2.840.10045.2.1", "1.3.101.112"
CURVES = {"1.2.840.10045.3.1.7": ("P-256", 32), "1.3.132.0.34": ("P-384", 48)}
SIGNATURES = {"P-256": "1.2.840.10045.4.3.2", "P-384": "1.2.840.10045.4.3.3", "Ed25519": ED25519_KEY}
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"


class Request:
    """The parts of a CSR whose form was read."""

    def __init__(self, octets):
        outer = der.values(der.only(octets, der.SEQUENCE))
        if [tag for tag, _, _ in outer] != [der.SEQUENCE, der.SEQUENCE, der.BIT_STRING]:
            raise ValueError("no CSR")
        self.info = outer[0][2]
        inner = der.values(outer[0][1])
        if [tag for tag, _, _ in inner] not in (
            [der.INTEGER, der.SEQUENCE, der.SEQUENCE, der.CONTEXT_0],
            [der.INTEGER, der.SEQUENCE, der.SEQUENCE],
        ) or inner[0][1] != b"\0":
            raise ValueError("no CSR of version 0")
        self.subject_der = inner[1][2]
        self.subject = name.read(self.subject_der)
        self.spki = inner[2][2]
        self.key_algorithm, self.point = _spki(inner[2][1])
        self.attributes = [_attribute(*one) for one in der.values(inner[3][1])] if len(inner) == 4 else []
        self.signature_algorithm = outer[1][1]
        self.signature = _bits(outer[2][1])

    def key_type(self):
        """The type of SPEC.md 6.1, None for every other key."""
        oid, parameters = self.key_algorithm
        if oid == ED25519_KEY:
            return "Ed25519"
        if oid == EC_KEY and parameters and parameters[0][0] == der.OID:
            return CURVES.get(der.read_oid(parameters[0][1]), (None,))[0]
        return None

    def key(self):
        """The key, or jwk.BadKey."""
        kind = self.key_type()
        if kind is None:
            raise jwk.BadKey("another type of key")
        if kind == "Ed25519":
            if self.key_algorithm[1]:
                raise jwk.BadKey("parameters of Ed25519")
            return jwk.read({"kty": "OKP", "crv": kind, "x": jwk.base64url.encode(self.point)})
        length = dict(CURVES.values())[kind]
        if len(self.point) != 1 + 2 * length or self.point[0] != 4:
            raise jwk.BadKey("no uncompressed point")
        x, y = self.point[1 : 1 + length], self.point[1 + length :]
        return jwk.read({"kty": "EC", "crv": kind, "x": jwk.base64url.encode(x), "y": jwk.base64url.encode(y)})


def read(octets):
    """Stage `payload`: the DER of one CSR and nothing else (CSR-01)."""
    try:
        return Request(octets)
    except ValueError as error:
        raise problem.Refused("malformed", "payload", about=str(error)) from error


def check(request, key_types, subject):
    """Stage `state`: key type, key, signature, attributes, extensions, subject. Gives the key."""
    if request.key_type() not in key_types:
        raise _bad("keyType")
    try:
        key = request.key()
    except jwk.BadKey as error:
        raise _bad("key") from error
    if not _signed(request, key):
        raise _bad("signature")
    for number, (oid, values) in enumerate(request.attributes):
        if oid != EXTENSION_REQUEST or number:
            raise _bad("attribute")
        if len(values) != 1 or values[0][0] != der.SEQUENCE:
            raise _bad("attribute")
        if values[0][1]:
            raise _bad("extension")
    if not request.subject or request.subject != subject:
        raise _bad("subject")
    return key


def _bad(reason):
    return problem.Refused("badCSR", "state", reason=reason)


def _spki(content):
    parts = der.values(content)
    if [tag for tag, _, _ in parts] != [der.SEQUENCE, der.BIT_STRING]:
        raise ValueError("no public key")
    algorithm = der.values(parts[0][1])
    if not algorithm or algorithm[0][0] != der.OID:
        raise ValueError("no algorithm")
    return (der.read_oid(algorithm[0][1]), algorithm[1:]), _bits(parts[1][1])


def _bits(content):
    if not content or content[0]:
        raise ValueError("no whole octets")
    return content[1:]


def _attribute(tag, content, _):
    parts = der.values(content)
    if tag != der.SEQUENCE or [part[0] for part in parts] != [der.OID, der.SET]:
        raise ValueError("no attribute")
    return der.read_oid(parts[0][1]), der.values(parts[1][1])


def _signed(request, key):
    algorithm = der.values(request.signature_algorithm)
    if len(algorithm) != 1 or algorithm[0][0] != der.OID:
        return False
    if der.read_oid(algorithm[0][1]) != SIGNATURES[key.key_type]:
        return False
    try:
        if key.key_type == "Ed25519":
            key.verifier.verify(request.signature, request.info)
        else:
            digest = SHA256() if key.key_type == "P-256" else SHA384()
            key.verifier.verify(request.signature, request.info, ec.ECDSA(digest))
    except (InvalidSignature, ValueError):
        return False
    return True


def write(private, subject_der):
    """The CSR of a new key, with the Name as it is in DER (NAM-03)."""
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    info = der.write(
        der.SEQUENCE, der.write(der.INTEGER, b"\0") + subject_der + spki + der.write(der.CONTEXT_0, b"")
    )
    if isinstance(private, ed25519.Ed25519PrivateKey):
        kind, made = "Ed25519", private.sign(info)
    else:
        kind, digest = {"secp256r1": ("P-256", SHA256()), "secp384r1": ("P-384", SHA384())}[private.curve.name]
        made = private.sign(info, ec.ECDSA(digest))
    algorithm = der.write(der.SEQUENCE, der.write(der.OID, der.write_oid(SIGNATURES[kind])))
    return der.write(der.SEQUENCE, info + algorithm + der.write(der.BIT_STRING, b"\0" + made))
