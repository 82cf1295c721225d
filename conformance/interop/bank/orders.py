"""Orders: what they look like (SPEC.md 7.9), and newOrder, findOrder, cancel and confirm (7.8, 7.10 to 7.13)."""

import json
import secrets

from wire import base64url, clock, csr, objects
from wire.problem import TOKENS, Refused, remedy

from . import certificates, machine, policy as chosen, texts


def new_id():
    return base64url.encode(secrets.token_bytes(16))


def find(db, name):
    return db.one("SELECT * FROM renewal WHERE id = ?", name)


def open_order(db, subject):
    return db.one("SELECT * FROM renewal WHERE subject = ? AND status IN ('processing', 'valid')", subject)


def document(bank, db, row, now, language):
    """The order of 7.9, each member exactly under its condition (ENC-19)."""
    place = bank.policy.url("order", row["id"])
    status = row["status"]
    made = {
        "self": place, "status": status, "kind": "renewal", "replaces": row["replaces"], "subject": row["subject"],
        "keyStore": row["key_store"], "key": row["key"], "created": clock.write_time(row["created"]),
    }
    if status in ("valid", "completed"):
        made.update(certID=row["cert_id"], certificate=place + "/certificate", chain=json.loads(row["chain"]))
    if status in machine.OPEN and now <= certificates.find(db, row["replaces"])["not_after"]:
        made["cancel"] = place + "/cancel"
    if status in ("valid", "completed"):
        made["confirm"] = place + "/confirm"
    if status == "invalid":
        role = db.one("SELECT role FROM subject WHERE id = ?", row["subject"])["role"]
        made["error"] = _error(row, role, now, language)
    if status in objects.final:
        made["receipt"] = json.loads(row["receipt"])
    return made


def _error(row, role, now, language):
    found = remedy(row["error"], role)
    title, detail = texts.words(row["error"], found["action"], language)
    return {
        "type": "urn:koshin:error:" + row["error"], "title": title, "detail": detail, "status": TOKENS[row["error"]][0],
        "serverTime": clock.write_time(now), "remedy": found,
    }


def change(db, row, status, now, actor, error=None):
    """Puts an order into a status; a final one with its receipt (RCP-01)."""
    db.run("UPDATE renewal SET status = ?, changed = ?, error = ? WHERE id = ?", status, now, error, row["id"])
    if status in objects.final:
        db.run("UPDATE renewal SET receipt = ? WHERE id = ?", json.dumps(db.bank.receipt(row, status, now)), row["id"])
    db.record(row["subject"], actor, did="order " + status, order=row["id"])


def place(bank, db, signer, payload, now):
    """newOrder: (order, whether it is new)."""
    request = csr.read(base64url.decode(payload["csr"]))
    own = _same(db, request, signer.subject, payload["replaces"])
    if own:
        return own, False
    certificate = signer.certificate
    if payload["replaces"] != certificate["cert_id"]:
        raise Refused("replacesMismatch", "state")
    _refuse_open(bank, db, signer.subject)
    if payload["keyStore"] not in chosen.KEY_STORES:
        raise Refused("keyStoreUnsupported", "state", keyStores=chosen.KEY_STORES)
    subject = db.one("SELECT * FROM subject WHERE id = ?", signer.subject)
    try:
        key = csr.check(request, chosen.KEY_TYPES, subject["name"])
    except Refused as refused:
        if refused.members.get("reason") == "keyType":
            refused.members["keyTypes"] = chosen.KEY_TYPES
        raise
    if _used(db, key.thumbprint):
        raise Refused("keyReused", "state")
    opens, _ = bank.policy.window(certificate["not_after"])
    if now < opens:
        raise Refused("tooEarly", "state", not_before=opens, about="From %s on." % clock.write_time(opens))
    name = new_id()
    db.insert(
        "renewal", id=name, subject=signer.subject, replaces=certificate["cert_id"], key_store=payload["keyStore"],
        key=key.thumbprint, csr=base64url.decode(payload["csr"]), created=now, status="processing", changed=now,
    )
    db.record(signer.subject, certificate["cert_id"], did="order processing", order=name)
    return find(db, name), True


def _same(db, request, subject, replaces):
    """ORD-02: the order of the same key and `replaces`."""
    try:
        thumbprint = request.key().thumbprint
    except ValueError:
        return None
    return db.one("SELECT * FROM renewal WHERE key = ? AND subject = ? AND replaces = ?", thumbprint, subject, replaces)


def _refuse_open(bank, db, subject):
    found = open_order(db, subject)
    if found:
        raise Refused("orderExists", "state", order=bank.policy.url("order", found["id"]), key=found["key"])


def _used(db, thumbprint):
    return db.one("SELECT 1 FROM renewal WHERE key = ?", thumbprint) or db.one("SELECT 1 FROM certificate WHERE key = ?", thumbprint)


def by_key(db, key):
    """findOrder."""
    found = db.one("SELECT * FROM renewal WHERE key = ?", key.thumbprint)
    if not found:
        raise Refused("orderUnknown", "state")
    return found


def readable(db, signer, name):
    """AUT-05: the order, where the signer may read it."""
    row = find(db, name)
    if row is None:
        raise Refused("notFound", "state")
    if signer.certificate is None:
        allowed = signer.key.thumbprint == row["key"]
    elif signer.session is None:
        allowed = signer.certificate["cert_id"] == row["cert_id"]
    else:
        allowed = row["subject"] == signer.subject or _administers(db, signer, row["subject"])
    if not allowed:
        raise Refused("notFound", "state")
    return row


def _administers(db, signer, subject):
    mine = db.one("SELECT * FROM subject WHERE id = ?", signer.subject)
    its = db.one("SELECT * FROM subject WHERE id = ?", subject)
    return mine["role"] == "administrator" and its["role"] == "user" and mine["contract"] == its["contract"]


def cancel(bank, db, signer, name, payload, now):
    row = find(db, name)
    if row is None or row["subject"] != signer.subject:
        raise Refused("notFound", "state")
    if payload["key"] != row["key"]:
        raise Refused("keyMismatch", "state", key=row["key"])
    expired = now > certificates.find(db, row["replaces"])["not_after"]
    after, does = _step(row, "cancel", expired)
    if after != row["status"]:
        change(db, row, after, now, signer.certificate["cert_id"])
        if "revokeSuccessor" in does:
            successor = certificates.find(db, row["cert_id"])
            certificates.revoke(db, successor, "cessationOfOperation", now, signer.certificate["cert_id"], own_order=True)
    return find(db, name)


def confirm(db, signer, name, now):
    """7.13: by the order's own certificate the order decides first, then the certificate."""
    row = find(db, name)
    certificate = signer.certificate
    if row is None or row["subject"] != certificate["subject"]:
        raise Refused("notFound", "state")
    if row["cert_id"] != certificate["cert_id"]:
        if row["status"] == "processing":
            raise _with_members(row, Refused("orderProcessing", "state"))
        raise Refused("keyMismatch", "state", key=row["key"])
    after, does = _step(row, "confirm")
    certificates.refuse_state(db, certificate, now)
    if db.one("SELECT disabled FROM subject WHERE id = ?", row["subject"])["disabled"]:
        raise Refused("subjectDisabled", "signer")
    if "confirmSuccessor" in does:
        certificates.confirm(db, row, now, certificate["cert_id"])
    return find(db, name)


def chain(row):
    """7.12: the DER of each certificate of the chain, or the refusal that confirm has in the state."""
    if row["status"] not in ("valid", "completed"):
        _step(row, "confirm")
    return [base64url.decode_der(one) for one in json.loads(row["chain"])]


def _step(row, event, predecessor_expired=False):
    try:
        return machine.order(row["status"], event, predecessor_expired=predecessor_expired)
    except Refused as refused:
        raise _with_members(row, refused) from refused


def _with_members(row, refused):
    if refused.token in ("orderCanceled", "orderRolledBack"):
        refused.members["predecessor"] = row["replaces"]
    if refused.token == "orderProcessing":
        refused.retry_after = chosen.RETRY_AFTER
    return refused


