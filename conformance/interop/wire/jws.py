"""The signed request (SPEC.md 5.3) up to its signature, in the stages of 5.7."""

from . import base64url, cert_id, json_text, jwk, operation, problem, signature, url

MEMBERS = {"protected", "payload", "signature"}
FIXED = {"alg", "typ", "nonce", "url"}
SIGNERS = {"x5c", "kid", "jwk"}


class Request:
    """A request whose form was read; nothing of it is believed yet."""

    def __init__(self, header, payload, signed, signature_octets):
        self.header, self.payload, self.signed, self.signature = header, payload, signed, signature_octets
        self.signer = (SIGNERS & set(header)).pop()


def read(body):
    """Stage `jws`: the form of the JWS and its header."""
    if len(body) > json_text.MOST_OCTETS:
        raise problem.Refused("payloadTooLarge", "http")
    try:
        outer = json_text.read_request(body)
        header_text, payload, octets = _outer(outer)
        header = json_text.read_request(header_text)
        _header(header)
    except (ValueError, RecursionError) as error:
        raise problem.Refused("malformed", "jws", about=str(error)) from error
    signed = (outer["protected"] + "." + outer["payload"]).encode("ascii")
    return Request(header, payload, signed, octets)


def _outer(outer):
    if not isinstance(outer, dict) or set(outer) != MEMBERS:
        raise ValueError("not exactly the members of a flattened JWS")
    return tuple(base64url.decode(outer[name]) for name in ("protected", "payload", "signature"))


def _header(header):
    if not isinstance(header, dict) or set(header) - SIGNERS != FIXED or len(header) != 5:
        raise ValueError("not exactly the members of a protected header")
    if not all(isinstance(header[name], str) for name in FIXED):
        raise ValueError("a member of another type")
    base64url.decode(header["nonce"])
    if not 16 <= len(header["nonce"]) <= 128:
        raise ValueError("a nonce of another length")
    url.check(header["url"])
    if "kid" in header:
        url.check(header["kid"])
    if "jwk" in header and not isinstance(header["jwk"], dict):
        raise ValueError("jwk is no object")
    if "x5c" in header:
        if not isinstance(header["x5c"], list) or len(header["x5c"]) != 1:
            raise ValueError("x5c has not exactly one element")
        base64url.decode_der(header["x5c"][0])


def check_operation(request, resource_url, kind):
    """Stage `operation`: typ, url and signer member fit the resource. `kind` is a key of operation.RESOURCES."""
    found = operation.RESOURCES[kind]
    if request.header["typ"] not in found:
        raise problem.Refused("typeMismatch", "operation")
    if request.header["url"] != resource_url:
        raise problem.Refused("urlMismatch", "operation")
    if request.signer not in found[request.header["typ"]]:
        raise problem.Refused("malformed", "operation", about="a signer member that the operation does not have")


def signing_key(request, session_key, algorithms):
    """Stage `key`: the key that has to verify; `session_key` is that of the session, None where there is none."""
    alg = request.header["alg"]
    if alg not in algorithms:
        raise problem.Refused("badSignatureAlgorithm", "key")
    try:
        if request.signer == "jwk":
            key = jwk.read(request.header["jwk"])
        elif request.signer == "x5c":
            key = jwk.of(_certificate(request).public_key())
        else:
            key = session_key
    except ValueError as error:
        raise problem.Refused("badPublicKey", "key", about=str(error)) from error
    if key and not signature.fits(alg, key):
        raise problem.Refused("badSignatureAlgorithm", "key")
    return key


def _certificate(request):
    try:
        return cert_id.load(base64url.decode_der(request.header["x5c"][0]))
    except ValueError as error:
        raise problem.Refused("malformed", "key", about="x5c is not the DER of one certificate") from error


def check_signature(request, key):
    """Stage `signature`, once session or certificate were found."""
    if not signature.verifies(request.header["alg"], key, request.signed, request.signature):
        raise problem.Refused("badSignature", "signature")


def write(header, payload, private):
    """A flattened JWS over the octets of the payload, as text."""
    protected = base64url.encode(json_text.write(header))
    encoded = base64url.encode(payload)
    signed = (protected + "." + encoded).encode("ascii")
    made = signature.sign(private, header["alg"], signed)
    return {"protected": protected, "payload": encoded, "signature": base64url.encode(made)}
