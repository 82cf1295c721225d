"""As much DER as names and requests for certificates need, read strictly."""

import re

SEQUENCE, SET, OID, INTEGER, BIT_STRING, OCTET_STRING, NULL = 0x30, 0x31, 0x06, 0x02, 0x03, 0x04, 0x05
CONTEXT_0 = 0xA0


def read(octets):
    """(tag, content, whole, rest) of the first value, or ValueError."""
    if len(octets) < 2:
        raise ValueError("cut off")
    tag, length, start = octets[0], octets[1], 2
    if tag & 0x1F == 0x1F:
        raise ValueError("a tag of several octets")
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or len(octets) < 2 + count:
            raise ValueError("an indefinite or impossible length")
        length = int.from_bytes(octets[2 : 2 + count], "big")
        if length < 0x80 or octets[2] == 0:
            raise ValueError("a length in more octets than needed")
        start += count
    end = start + length
    if len(octets) < end:
        raise ValueError("cut off")
    return tag, octets[start:end], octets[:end], octets[end:]


def only(octets, tag):
    """The content of the one value that there is, which has this tag."""
    found, content, _, rest = read(octets)
    if found != tag or rest:
        raise ValueError("another tag, or something behind")
    return content


def values(content):
    """[(tag, content, whole)] of the values in a row."""
    found = []
    while content:
        tag, inner, whole, content = read(content)
        found.append((tag, inner, whole))
    return found


def write(tag, content):
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def read_oid(content):
    if not content or content[-1] & 0x80:
        raise ValueError("no object identifier")
    numbers, value, first = [], 0, True
    for octet in content:
        if first and octet == 0x80:
            raise ValueError("an object identifier in more octets than needed")
        value, first = value << 7 | octet & 0x7F, False
        if not octet & 0x80:
            numbers.append(value)
            value, first = 0, True
    root = min(numbers[0] // 40, 2)
    return ".".join(str(n) for n in [root, numbers[0] - 40 * root] + numbers[1:])


def write_oid(dotted):
    if not re.match(r"[0-2](\.[0-9]+)+\Z", dotted):
        raise ValueError("no object identifier")
    numbers = [int(n) for n in dotted.split(".")]
    content = b""
    for number in [40 * numbers[0] + numbers[1]] + numbers[2:]:
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.append(number & 0x7F | 0x80)
        content += bytes(reversed(septets))
    return content
