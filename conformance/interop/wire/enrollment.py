"""Codes, tickets, enrollment keys and bindings (SPEC.md 13.2 to 13.4)."""

import re
from urllib.parse import quote, unquote_to_bytes

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from . import base64url, json_text, jws, objects, problem, signature, url

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHECK_SYMBOLS = SYMBOLS + "*~$=U"
INFO = b"koshin enrollment key v1"
ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BINDING_TYP = "koshin-binding+jws"
TICKET = re.compile(r"koshin-ticket:1\?directory=([^&]*)&reissue=([^&]*)&name=([^&]*)&code=([^&]*)\Z")


def read_code(text):
    """The 16 octets, or ValueError (COD-01, COD-03)."""
    if not text.isascii():
        raise ValueError("a foreign symbol")
    symbols = text.replace("-", "").replace(" ", "").upper().replace("O", "0").replace("I", "1").replace("L", "1")
    if len(symbols) != 27:
        raise ValueError("not 27 symbols")
    value = 0
    for symbol in symbols[:26]:
        value = value << 5 | SYMBOLS.index(symbol)
    if value >> 128:
        raise ValueError("top bits that are not zero")
    if CHECK_SYMBOLS.index(symbols[26]) != value % 37:
        raise ValueError("another check symbol")
    return value.to_bytes(16, "big")


def write_code(octets, grouped=True):
    value = int.from_bytes(octets, "big")
    symbols = "".join(SYMBOLS[value >> shift & 31] for shift in range(125, -1, -5)) + CHECK_SYMBOLS[value % 37]
    return "-".join([symbols[at : at + 5] for at in range(0, 20, 5)] + [symbols[20:]]) if grouped else symbols


def private_key(octets, reissue):
    """The enrollment key of a code and the reissue's id (COD-02)."""
    okm = HKDF(algorithm=SHA256(), length=48, salt=reissue.encode("ascii"), info=INFO).derive(octets)
    return ec.derive_private_key(int.from_bytes(okm, "big") % (ORDER_P256 - 1) + 1, ec.SECP256R1())


class Ticket:
    """What a ticket says."""

    def __init__(self, directory, reissue, name, octets):
        self.directory, self.reissue, self.name, self.octets = directory, reissue, name, octets


def read_ticket(text):
    """The ticket, or ValueError for every text that `write_ticket` would not write (COD-11)."""
    match = TICKET.match(text)
    if not match:
        raise ValueError("no ticket of version 1")
    directory, reissue, name, code = (unquote_to_bytes(value).decode("utf-8") for value in match.groups())
    url.check(directory)
    if len(base64url.decode(reissue)) != 16 or not name:
        raise ValueError("no id of a reissue, or no name")
    ticket = Ticket(directory, reissue, name, read_code(code))
    if write_ticket(ticket) != text:
        raise ValueError("not the one form of a ticket")
    return ticket


def write_ticket(ticket):
    values = (ticket.directory, ticket.reissue, ticket.name, write_code(ticket.octets, grouped=False))
    parts = zip(("directory", "reissue", "name", "code"), values)
    return "koshin-ticket:1?" + "&".join("%s=%s" % (part, quote(value, safe="")) for part, value in parts)


def bind(enrollment_key, reissue, new_enrollment, key):
    """The binding of the key that enrolls."""
    header = {"alg": "ES256", "kid": reissue, "typ": BINDING_TYP, "url": new_enrollment}
    return jws.write(header, key.canonical(), enrollment_key)


def check_binding(binding, reissue, new_enrollment, key, enrollment_key):
    """As the bank checks it (ENR-01, ENR-02): the enrolling key, and the public key of the reissue."""
    try:
        objects.check("jws", binding, closed=True)
        protected, payload, made = (base64url.decode(binding[name]) for name in ("protected", "payload", "signature"))
        header = json_text.read_request(protected)
        if not isinstance(header, dict) or set(header) != {"alg", "kid", "typ", "url"}:
            raise ValueError("other members")
        if not all(isinstance(value, str) for value in header.values()):
            raise ValueError("a member of another type")
        base64url.decode(header["kid"])
        url.check(header["url"])
    except ValueError as error:
        raise problem.Refused("malformed", "payload", about=str(error)) from error
    wanted = {"alg": "ES256", "kid": reissue, "typ": BINDING_TYP, "url": new_enrollment}
    signed = (binding["protected"] + "." + binding["payload"]).encode("ascii")
    if header != wanted or payload != key.canonical() or not signature.verifies("ES256", enrollment_key, signed, made):
        raise problem.Refused("enrollmentRefused", "state")


