"""Stage `payload` of SPEC.md 5.7: the form of an operation's payload."""

from . import json_text, objects, operation, problem


def read(typ, octets):
    """The payload as a value, None for a read; Refused `malformed` otherwise."""
    try:
        if typ == operation.READ:
            if octets:
                raise ValueError("a read has an empty payload")
            return None
        value = json_text.read_request(octets)
        objects.check(objects.PAYLOADS[typ], value, closed=True)
        return value
    except (ValueError, RecursionError) as error:
        raise problem.Refused("malformed", "payload", about=str(error)) from error
