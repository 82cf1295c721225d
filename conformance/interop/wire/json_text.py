"""JSON texts as SPEC.md 4.2 has them: no member twice, no byte order mark, 16 levels, no control characters in requests."""

import json

MOST_LEVELS = 16
DEEPEST_RESPONSE = 100  # members that a client does not know may be nested as they like (ENC-17), up to what a parser bears
MOST_OCTETS = 65536


def read_request(octets):
    """The value of a request's JSON text, or ValueError."""
    value = _read(octets, deepest=MOST_LEVELS)
    _refuse_controls(value)
    return value


def read_response(octets, most=MOST_OCTETS):
    """The value of a response's JSON text, or ValueError."""
    if len(octets) > most:
        raise ValueError("longer than %d octets" % most)
    return _read(octets, deepest=DEEPEST_RESPONSE)


def write(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def canonical(members):
    """RFC 7638's octets: members in the order of their names, no white space."""
    return json.dumps(members, separators=(",", ":"), sort_keys=True).encode("utf-8")


def _read(octets, deepest):
    text = octets.decode("utf-8")
    if text.startswith("\ufeff"):
        raise ValueError("a byte order mark")
    _refuse_depth(text, deepest)
    value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant, parse_int=_integer)
    _refuse_lone_surrogates(value)
    return value


def _members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _integer(digits):
    """-0 has a sign, and is no integer of SPEC.md 4.2."""
    return float(digits) if digits == "-0" else int(digits)


def _no_constant(name):
    raise ValueError("%s is no JSON" % name)


def _refuse_depth(text, deepest):
    """Counts brackets outside strings, before a parser recurses into them."""
    depth, inside, escaped = 0, False, False
    for character in text:
        if inside:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                inside = False
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            if depth > deepest:
                raise ValueError("nested deeper than %d" % deepest)
        elif character in "]}":
            depth -= 1


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for element in value:
            yield from _strings(element)
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from _strings(member)


def _refuse_controls(value):
    for text in _strings(value):
        if any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in text):
            raise ValueError("a control character in a string")


def _refuse_lone_surrogates(value):
    for text in _strings(value):
        text.encode("utf-8")
