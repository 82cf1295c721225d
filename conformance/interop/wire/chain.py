"""Verifying a chain up to a configured root (CHN-03: RFC 5280 section 6.1), as far as issuing chains of a bank need it."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from . import clock

KNOWN_CRITICAL = {"2.5.29.15", "2.5.29.19", "2.5.29.37"}  # key usage, basic constraints, extended key usage
LONGEST = 8


class Untrusted(ValueError):
    """A chain that does not lead to a configured root, or a certificate that is not for this use."""


def verify(chain, roots, at):
    """Refuses where the chain (the certificate, then its issuers without the root) does not lead to one of the roots."""
    if not chain or len(chain) > LONGEST:
        raise Untrusted("no chain")
    for position, certificate in enumerate(chain):
        _within_validity(certificate, at)
        _known_extensions(certificate)
        if position:
            _is_ca(certificate, below=position - 1)
            if not issued(chain[position - 1], certificate):
                raise Untrusted("not issued by the next of the chain")
    last = chain[-1]
    for root in roots:
        if issued(last, root) or _bytes(last) == _bytes(root):
            _within_validity(root, at)
            if _bytes(last) != _bytes(root) or len(chain) == 1:
                _is_ca(root, below=len(chain) - 1)
            return
    raise Untrusted("no configured root issued it")


def issued(certificate, issuer):
    """Whether the issuer's key signed the certificate, which names it as its issuer."""
    if certificate.issuer.public_bytes() != issuer.subject.public_bytes():
        return False
    key, signature, signed = issuer.public_key(), certificate.signature, certificate.tbs_certificate_bytes
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(certificate.signature_hash_algorithm))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), certificate.signature_hash_algorithm)
        else:
            return False
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def extended_key_usage(certificate):
    """The dotted OIDs, None where there is no such extension."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None
    return [usage.dotted_string for usage in found]


def key_usage(certificate):
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _bytes(certificate):
    return certificate.tbs_certificate_bytes + certificate.signature


def _within_validity(certificate, at):
    if not clock.of_datetime(certificate.not_valid_before) <= at <= clock.of_datetime(certificate.not_valid_after):
        raise Untrusted("not valid at this time")


def _known_extensions(certificate):
    for extension in certificate.extensions:
        if extension.critical and extension.oid.dotted_string not in KNOWN_CRITICAL:
            raise Untrusted("a critical extension that is not known")


def _is_ca(certificate, below):
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as error:
        raise Untrusted("an issuer that is no CA") from error
    usage = key_usage(certificate)
    if not constraints.ca or usage is not None and not usage.key_cert_sign:
        raise Untrusted("an issuer that is no CA")
    if constraints.path_length is not None and below > constraints.path_length:
        raise Untrusted("more CAs below than it may have")
