"""Receipts (SPEC.md 6.7), as a client verifies them (RCP-04)."""

from . import base64url, cert_id, chain, clock, json_text, jwk, objects, signature

DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"
TYP = "koshin-receipt+jws"


def verify(receipt, roots):
    """The payload of a receipt whose signature, chain and usage hold; ValueError otherwise."""
    objects.check("jws", receipt, closed=True)
    protected, body, made = (base64url.decode(receipt[name]) for name in ("protected", "payload", "signature"))
    header = json_text.read_response(protected)
    if not isinstance(header, dict) or set(header) != {"alg", "typ", "x5c"} or header["typ"] != TYP:
        raise ValueError("no header of a receipt")
    if not isinstance(header["x5c"], list):
        raise ValueError("x5c is no array")
    certificates = [cert_id.load(base64url.decode_der(entry)) for entry in header["x5c"]]
    payload = json_text.read_response(body)
    objects.check("receipt", payload)
    chain.verify(certificates, roots, clock.read_time(payload["time"]))
    if chain.extended_key_usage(certificates[0]) != [DOCUMENT_SIGNING]:
        raise ValueError("a certificate that is not for receipts alone")
    usage = chain.key_usage(certificates[0])
    if usage is None or not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
        raise ValueError("another key usage")
    signed = (receipt["protected"] + "." + receipt["payload"]).encode("ascii")
    if not signature.verifies(header["alg"], jwk.of(certificates[0].public_key()), signed, made):
        raise ValueError("the signature does not verify")
    return payload


def fits(payload, order):
    """RCP-05: whether the receipt is that of the order."""
    pairs = {"order": "self", "key": "key", "subject": "subject", "status": "status"}
    return all(payload[mine] == order[its] for mine, its in pairs.items())
