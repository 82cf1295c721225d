"""Names (SPEC.md 4.7): from DER to the one string, and from that string to DER (NAM-04)."""

import re

from . import der

SHORT = {
    "2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C",
    "2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}
OIDS = {short: oid for oid, short in SHORT.items()}
UTF8, NUMERIC, PRINTABLE, IA5, VISIBLE, UNIVERSAL, BMP = 0x0C, 0x12, 0x13, 0x16, 0x1A, 0x1C, 0x1E
ENCODINGS = {
    UTF8: "utf-8", NUMERIC: "ascii", PRINTABLE: "ascii", IA5: "ascii", VISIBLE: "ascii", UNIVERSAL: "utf-32-be", BMP: "utf-16-be",
}
# What NAM-04 asks for, and the characters that these types have.
PREFERRED = {"2.5.4.6": PRINTABLE, "2.5.4.5": PRINTABLE, "2.5.4.46": PRINTABLE,
             "0.9.2342.19200300.100.1.25": IA5, "1.2.840.113549.1.9.1": IA5}
REPERTOIRE = {PRINTABLE: re.compile(r"[A-Za-z0-9 '()+,./:=?-]*"), IA5: re.compile(r"[\x00-\x7f]*")}
MOST_OCTETS = 4096
ESCAPED = '"+,;<>\\'


def read(octets):
    """The name of the DER of a Name, or ValueError."""
    rdns = der.values(der.only(octets, der.SEQUENCE))
    return ",".join(_rdn(tag, content) for tag, content, _ in reversed(rdns))


def _rdn(tag, content):
    if tag != der.SET or not content:
        raise ValueError("no RDN")
    return "+".join(sorted({_attribute(tag, inner) for tag, inner, _ in der.values(content)}, key=_octets))


def _octets(text):
    return text.encode("utf-8")


def _attribute(tag, content):
    parts = der.values(content)
    if tag != der.SEQUENCE or len(parts) != 2 or parts[0][0] != der.OID:
        raise ValueError("no attribute")
    oid = der.read_oid(parts[0][1])
    tag, inner, whole = parts[1]
    text = _characters(tag, inner)
    return SHORT.get(oid, oid) + "=" + ("#" + whole.hex() if text is None else _escape(text))


def _characters(tag, content):
    """The text of a value, None where its string type does not say for certain which characters they are."""
    try:
        return content.decode(ENCODINGS[tag]) if tag in ENCODINGS else None
    except UnicodeDecodeError:
        return None


def _escape(text):
    written = ""
    for at, character in enumerate(text):
        if ord(character) < 0x20 or 0x7F <= ord(character) <= 0x9F:
            written += "".join("\\%02X" % octet for octet in character.encode("utf-8"))
        elif character in ESCAPED or at == 0 and character in "# " or at == len(text) - 1 and character == " ":
            written += "\\" + character
        else:
            written += character
    return written


def write(name):
    """The DER of a name in the form of SPEC.md 4.7, or ValueError."""
    if len(_octets(name)) > MOST_OCTETS:
        raise ValueError("longer than a name may be")
    rdns = b""
    for rdn in reversed(_split(name, ",")):
        attributes = sorted(_write_attribute(one) for one in _split(rdn, "+"))
        rdns += der.write(der.SET, b"".join(attributes))
    written = der.write(der.SEQUENCE, rdns)
    if not name or read(written) != name:
        raise ValueError("not the one form of a name")
    return written


def _split(text, separator):
    parts, begin, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == separator:
            parts.append(text[begin:at])
            begin = at + 1
        at += 1
    return parts + [text[begin:]]


def _write_attribute(text):
    type_, equals, value = text.partition("=")
    if not equals:
        raise ValueError("no attribute")
    dotted = OIDS.get(type_, type_)
    oid = der.write_oid(dotted)
    if value.startswith("#"):
        encoded = bytes.fromhex(value[1:])
    else:
        text, tag = _unescape(value), PREFERRED.get(dotted, UTF8)
        if tag != UTF8 and not REPERTOIRE[tag].fullmatch(text):
            tag = UTF8
        encoded = der.write(tag, text.encode(ENCODINGS[tag]))
    return der.write(der.SEQUENCE, der.write(der.OID, oid) + encoded)


def _unescape(text):
    octets, at = b"", 0
    while at < len(text):
        if text[at] != "\\":
            octets += text[at].encode("utf-8")
            at += 1
        elif text[at + 1 : at + 2] in tuple(ESCAPED + "# ") and text[at + 1 : at + 2]:
            octets += text[at + 1].encode("ascii")
            at += 2
        else:
            octets += bytes.fromhex(text[at + 1 : at + 3])
            at += 3
    return octets.decode("utf-8")
