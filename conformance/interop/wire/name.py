"""Names (SPEC.md 4.7): from DER to the one string, and from that string to DER (NAM-04)."""

from . import der

SHORT = {
    "2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C",
    "2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}
OIDS = {short: oid for oid, short in SHORT.items()}
UTF8, PRINTABLE, IA5, BMP = 0x0C, 0x13, 0x16, 0x1E
ENCODINGS = {UTF8: "utf-8", PRINTABLE: "ascii", IA5: "ascii", BMP: "utf-16-be"}
ESCAPED = '"+,;<>\\'


def read(octets):
    """The name of the DER of a Name, or ValueError."""
    rdns = der.values(der.only(octets, der.SEQUENCE))
    return ",".join(_rdn(tag, content) for tag, content, _ in reversed(rdns))


def _rdn(tag, content):
    if tag != der.SET or not content:
        raise ValueError("no RDN")
    return "+".join(_attribute(tag, inner) for tag, inner, _ in der.values(content))


def _attribute(tag, content):
    parts = der.values(content)
    if tag != der.SEQUENCE or len(parts) != 2 or parts[0][0] != der.OID:
        raise ValueError("no attribute")
    oid = der.read_oid(parts[0][1])
    tag, inner, whole = parts[1]
    if oid in SHORT and tag in ENCODINGS:
        return SHORT[oid] + "=" + _escape(inner.decode(ENCODINGS[tag]))
    return SHORT.get(oid, oid) + "=#" + whole.hex()


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
    rdns = b""
    for rdn in reversed(_split(name, ",")):
        attributes = [_write_attribute(one) for one in _split(rdn, "+")]
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
    oid = der.write_oid(OIDS.get(type_, type_))
    if value.startswith("#"):
        encoded = bytes.fromhex(value[1:])
    else:
        tag = {"C": PRINTABLE, "DC": IA5}.get(type_, UTF8)
        encoded = der.write(tag, _unescape(value).encode(ENCODINGS[tag]))
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
