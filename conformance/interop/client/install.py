"""What has to hold before the client switches to a new certificate (SPEC.md 12.7)."""

from wire import base64url, cert_id, chain, clock, jwk, name

from .outcome import ACT, Ended

CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"


def read_chain(order):
    """The certificates of `chain`, or Ended."""
    try:
        return [cert_id.load(base64url.decode_der(one)) for one in order["chain"]]
    except (KeyError, ValueError) as error:
        raise Ended(ACT, "the order's chain cannot be read") from error


def check(certificates, order, key, subject, roots, now, later_than):
    """CLI-60 to CLI-62: key, subject, chain, use and notAfter. Ended with nothing changed where one does not hold."""
    try:
        leaf = certificates[0]
        if jwk.of(leaf.public_key()).thumbprint != key.thumbprint:
            raise ValueError("it is of another key")
        if name.read(leaf.subject.public_bytes()) != subject:
            raise ValueError("it has another subject")
        if "certID" in order and cert_id.of(leaf) != order["certID"]:
            raise ValueError("it is another than the order names")
        chain.verify(certificates, roots, max(now, clock.of_datetime(leaf.not_valid_before)))
        usage = chain.extended_key_usage(leaf)
        if usage is None or CLIENT_AUTH not in usage:
            raise ValueError("it is not for clients")
        if later_than is not None and clock.of_datetime(leaf.not_valid_after) <= later_than:
            raise ValueError("it ends no later than the one it replaces")
    except ValueError as error:
        raise Ended(ACT, "the new certificate is not taken: %s; the old one stays in use" % error) from error

