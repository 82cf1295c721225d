"""Signatures over octets by the algorithms of SPEC.md 6.1."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

KEY_TYPES = {"ES256": "P-256", "ES384": "P-384", "EdDSA": "Ed25519", "RS256": "RSA", "PS256": "RSA"}
HALVES = {"ES256": (32, SHA256()), "ES384": (48, SHA384())}
PSS = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)


def fits(alg, key):
    return KEY_TYPES.get(alg) == key.key_type


def verifies(alg, key, signed, signature):
    """Whether the signature is the key's over these octets."""
    if not fits(alg, key):
        return False
    try:
        if alg in HALVES:
            half, digest = HALVES[alg]
            if len(signature) != 2 * half:
                return False
            r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
            key.verifier.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
        elif alg == "EdDSA":
            if len(signature) != 64:
                return False
            key.verifier.verify(signature, signed)
        else:
            if len(signature) * 8 != key.verifier.key_size:
                return False
            scheme = PSS if alg == "PS256" else padding.PKCS1v15()
            key.verifier.verify(signature, signed, scheme, SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def algorithm_of(private):
    """The algorithm that a private key signs with."""
    if isinstance(private, rsa.RSAPrivateKey):
        return "RS256"
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "EdDSA"
    return {"secp256r1": "ES256", "secp384r1": "ES384"}[private.curve.name]


def sign(private, alg, octets):
    if alg in HALVES:
        half, digest = HALVES[alg]
        r, s = decode_dss_signature(private.sign(octets, ec.ECDSA(digest)))
        return r.to_bytes(half, "big") + s.to_bytes(half, "big")
    if alg == "EdDSA":
        return private.sign(octets)
    return private.sign(octets, PSS if alg == "PS256" else padding.PKCS1v15(), SHA256())
