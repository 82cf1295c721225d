"""The object tables of SPEC.md: types and presence, for payloads that a bank reads and answers that a client reads.

A table is a dictionary of member: (type, presence). A type is a function that refuses by ValueError; the presence is
True (always), False (may), or a condition over the object, which a bank keeps (ENC-19) and a lenient client does not
insist on.
"""

from . import base64url, cert_id, clock, url

LETTERS = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def check(name, value, strict=False, closed=False):
    """Refuses a value that is not the object: `strict` holds conditions too, `closed` knows no other members (ENC-14)."""
    _object(TABLES[name], value, strict, closed)


def _object(table, value, strict, closed):
    if not isinstance(value, dict):
        raise ValueError("no object")
    if closed and set(value) - set(table):
        raise ValueError("unknown member " + sorted(set(value) - set(table))[0])
    for member, (type_, presence) in table.items():
        if member in value:
            try:
                type_(value[member], strict, closed)
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise ValueError("%s: %s" % (member, error)) from error
        elif presence is True:
            raise ValueError(member + " is missing")
    if strict:
        for member, (_, presence) in table.items():
            if callable(presence) and bool(presence(value)) != (member in value):
                raise ValueError(member + " against its condition")


def of(table):
    return lambda value, strict, closed: _object(TABLES[table], value, strict, closed)


def simple(read):
    return lambda value, strict, closed: read(value)


def _text(value):
    if not isinstance(value, str):
        raise ValueError("no string")
    return value


def _integer(value):
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise ValueError("no integer")


def _boolean(value):
    if not isinstance(value, bool):
        raise ValueError("no boolean")


def _identifier(value):
    if not 1 <= len(_text(value)) <= 64 or set(value) - LETTERS:
        raise ValueError("no identifier of SPEC.md 4.8")


def _short(value):
    if not 1 <= len(_text(value)) <= 64:
        raise ValueError("not of 1 to 64 characters")


def _name(value):
    if not _text(value):
        raise ValueError("an empty name")


def _octets(count):
    def read(value):
        if len(base64url.decode(value)) != count:
            raise ValueError("not %d octets" % count)
    return simple(read)


def _nothing(value):
    if not isinstance(value, dict):
        raise ValueError("no object")


def _word(*words):
    def read(value):
        if value not in words or not isinstance(value, str):
            raise ValueError("no such word: %r" % (value,))
    return simple(read)


def array(type_, least=0):
    def read(value, strict, closed):
        if not isinstance(value, list) or len(value) < least:
            raise ValueError("no array of at least %d" % least)
        for element in value:
            type_(element, strict, closed)
    return read


def _containing(type_, element):
    def read(value, strict, closed):
        array(type_)(value, strict, closed)
        if element not in value:
            raise ValueError(element + " is missing")
    return read


def _window(value, strict, closed):
    _object(TABLES["window"], value, strict, closed)
    if value["start"] > value["end"]:
        raise ValueError("a start after the end")


def _pin_rule(value, strict, closed):
    _object(TABLES["pinRule"], value, strict, closed)
    if value["minLength"] > value["maxLength"]:
        raise ValueError("a least length that is more than the greatest")


def _whole_days(value):
    if clock.read_period(value)[1]:
        raise ValueError("no whole days")


def _version(value):
    if value != "1":
        raise ValueError("another version")


text, integer, boolean = simple(_text), simple(_integer), simple(_boolean)
identifier, name, short = simple(_identifier), simple(_name), simple(_short)
link, page = simple(url.check), simple(url.check_for_people)
time, period, days = simple(clock.read_time), simple(clock.read_period), simple(_whole_days)
certificate_id, thumbprint, octets, der = simple(cert_id.read), _octets(32), simple(base64url.decode), simple(base64url.decode_der)
role, key_type = _word("administrator", "user"), _word("P-256", "P-384", "Ed25519")
reason = _word("keyCompromise", "deviceLost", "keyLost", "affiliationChanged", "cessationOfOperation", "unspecified")
status = _word("processing", "valid", "completed", "canceled", "invalid", "rolledBack")
final = ("completed", "canceled", "invalid", "rolledBack")


def _in(*statuses):
    return lambda value: value["status"] in statuses


def _full(value):
    return value["meta"]["profile"] == "full" if "meta" in value else value["profile"] == "full"


def _may_unless_full(member):
    return lambda value: _full(value) or member in value


def _renewal(value):
    return value["kind"] == "renewal"


TABLES = {
    "empty": {},
    "window": {"start": (time, True), "end": (time, True)},
    "pinRule": {"minLength": (integer, True), "maxLength": (integer, True), "required": (boolean, True)},
    "requirement": {"os": (short, True), "osVersion": (short, False), "software": (short, False), "softwareVersion": (short, False)},
    "environment": {member: (short, True) for member in ("os", "osVersion", "software", "softwareVersion")},
    "jws": {"protected": (octets, True), "payload": (octets, True), "signature": (octets, True)},
    "jwk": {},
    "newSession": {"pin": (text, False), "environment": (of("environment"), True), "purpose": (_word("renewal", "recovery"), True)},
    "newOrder": {"replaces": (certificate_id, True), "keyStore": (text, True), "csr": (octets, True)},
    "cancel": {"key": (thumbprint, True)},
    "confirm": {"final": (boolean, False)},
    "rollback": {"key": (thumbprint, True)},
    "newReissue": {
        "id": (_octets(16), True), "subject": (identifier, True), "subjectName": (name, True), "reason": (reason, True),
        "enrollmentKey": (simple(_nothing), True),
    },
    "unlock": {"subject": (identifier, True)},
    "pin": {"old": (text, True), "new": (text, True)},
    "newEnrollment": {
        "reissue": (_octets(16), True), "binding": (of("jws"), True), "csr": (octets, True), "keyStore": (text, True),
        "environment": (of("environment"), True), "pin": (text, False),
    },
    "revokeCert": {"certID": (certificate_id, True), "reason": (reason, True), "includeSuccessors": (boolean, False)},
    "meta": {
        "version": (simple(_version), True), "profile": (_word("core", "full"), True),
        "algorithms": (_containing(text, "ES256"), True), "keyTypes": (_containing(key_type, "P-256"), True),
        "environments": (array(of("requirement")), True), "keyStores": (array(text, 1), True), "timeZone": (text, True),
        "window": (days, True), "confirmWithin": (period, True), "rollbackWithin": (period, False),
        "issuers": (array(array(der, 1), 1), True), "extensions": (array(text), True),
        "pin": (_pin_rule, _may_unless_full("pin")), "website": (page, False), "termsOfService": (page, False),
    },
    "directory": {
        "newNonce": (link, True), "newSession": (link, True), "newOrder": (link, True), "findOrder": (link, True),
        "renewalInfo": (link, True), "revokeCert": (link, True), "newReissue": (link, _full), "unlock": (link, _full),
        "pin": (link, _full), "newEnrollment": (link, _full), "crl": (array(link), _may_unless_full("crl")),
        "meta": (of("meta"), True),
    },
    "renewalInfo": {"suggestedWindow": (_window, True), "explanationURL": (page, False), "enforcedWindow": (_window, True)},
    "subject": {"id": (identifier, True), "name": (name, True), "role": (role, True)},
    "certificateEntry": {
        "certID": (certificate_id, True), "notBefore": (time, True), "notAfter": (time, True),
        "state": (_word("unconfirmed", "current", "superseded", "revoked", "expired"), True),
        "successor": (certificate_id, False), "keyStore": (text, False),
    },
    "notice": {
        "expires": (time, True), "window": (_window, True), "deferrals": (integer, True),
        "deferredAt": (time, lambda value: value["deferrals"] > 0), "defer": (link, False),
    },
    "session": {
        "subject": (of("subject"), True), "certificate": (of("certificateEntry"), True),
        "purpose": (_word("renewal", "recovery"), True), "notice": (of("notice"), False), "order": (link, False),
        "contract": (link, lambda value: value["purpose"] == "renewal"), "logoff": (link, True), "expires": (time, True),
        "rollback": (link, lambda value: value["purpose"] == "recovery"),
    },
    "subjectEntry": {
        "id": (identifier, True), "name": (name, True), "role": (role, True), "pin": (_word("none", "set", "locked"), True),
        "certificates": (array(of("certificateEntry")), True), "order": (link, False), "deferrals": (integer, True),
        "reissue": (link, False),
    },
    "contract": {"id": (identifier, True), "name": (text, True), "subjects": (array(of("subjectEntry"), 1), True)},
    "remedy": {
        "action": (text, True), "by": (text, False), "notBefore": (time, False), "url": (page, False),
    },
    "problem": {
        "type": (text, True), "title": (text, True), "detail": (text, True), "status": (integer, True),
        "serverTime": (time, True), "remedy": (of("remedy"), True), "instance": (text, False), "order": (link, False),
        "key": (thumbprint, False), "successor": (certificate_id, False), "predecessor": (certificate_id, False),
        "algorithms": (array(text), False), "keyTypes": (array(text), False),
        "environments": (array(of("requirement")), False), "keyStores": (array(text), False),
        "attemptsLeft": (integer, False), "reason": (text, False),
    },
    "order": {
        "self": (link, True), "status": (status, True), "kind": (_word("renewal", "enrollment"), True),
        "replaces": (certificate_id, _renewal), "subject": (identifier, True), "keyStore": (text, True),
        "key": (thumbprint, True), "created": (time, True),
        "certID": (certificate_id, _in("valid", "completed", "rolledBack")),
        "certificate": (link, _in("valid", "completed")), "chain": (array(der, 1), _in("valid", "completed")),
        "cancel": (link, lambda value: "cancel" in value and value["status"] in ("processing", "valid") and _renewal(value)),
        "confirm": (link, _in("valid", "completed")),
        "rollback": (link, lambda value: "rollbackUntil" in value and value["status"] == "completed" and _renewal(value)),
        "rollbackUntil": (time, lambda value: "rollback" in value),
        "error": (of("problem"), _in("invalid")), "receipt": (of("jws"), _in(*final)),
    },
    "reissue": {
        "id": (_octets(16), True), "status": (_word("pending", "redeemed", "completed", "failed", "canceled", "voided", "expired"), True),
        "subject": (identifier, True), "subjectName": (name, True), "reason": (reason, True), "created": (time, True),
        "expires": (time, True), "cancel": (link, _in("pending", "redeemed")),
        "order": (link, lambda value: value["status"] in ("redeemed", "completed", "failed") or "order" in value and value["status"] != "pending"),
    },
    "revocation": {"revoked": (array(certificate_id), True)},
    "receipt": {
        "order": (link, True), "status": (status, True), "subject": (identifier, True), "key": (thumbprint, True),
        "replaces": (certificate_id, False), "certID": (certificate_id, False), "time": (time, True),
    },
}

PAYLOADS = {
    "koshin-new-session+jws": "newSession", "koshin-logoff+jws": "empty", "koshin-defer+jws": "empty",
    "koshin-new-order+jws": "newOrder", "koshin-find-order+jws": "empty", "koshin-cancel+jws": "cancel",
    "koshin-confirm+jws": "confirm", "koshin-rollback+jws": "rollback", "koshin-new-reissue+jws": "newReissue",
    "koshin-cancel-reissue+jws": "empty", "koshin-unlock+jws": "unlock", "koshin-pin+jws": "pin",
    "koshin-new-enrollment+jws": "newEnrollment", "koshin-revoke-cert+jws": "revokeCert",
}
