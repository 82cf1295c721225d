"""Certificates of the registry: their states (SPEC.md 10.2), and what a change of one does to orders and sessions."""

from wire import cert_id, clock
from wire.problem import Refused

from . import machine, orders

load = cert_id.load


def find(db, name):
    return db.one("SELECT * FROM certificate WHERE cert_id = ?", name)


def state(row, now):
    """The word of 10.5: what is stored, or `expired`, which never is."""
    return machine.shown(row["state"], now > row["not_after"])


def role(db, row):
    return db.one("SELECT role FROM subject WHERE id = ?", row["subject"])["role"]


def current(db, subject, now):
    row = db.one("SELECT * FROM certificate WHERE subject = ? AND state = 'current'", subject)
    return row if row and now <= row["not_after"] else None


def refuse_state(db, row, now, tolerated=()):
    """Stage `signer`: revoked, superseded, not yet valid, expired, in this order."""
    who = role(db, row)
    if row["state"] == "revoked" and "revoked" not in tolerated:
        raise _revoked(db, row, who, now)
    if row["state"] == "superseded" and "superseded" not in tolerated:
        raise Refused("certificateSuperseded", "signer", who, successor=successor(db, row, now))
    if now < row["not_before"]:
        raise Refused("certificateNotYetValid", "signer", who, not_before=row["not_before"])
    if now > row["not_after"]:
        raise Refused("certificateExpired", "signer", who)


def _revoked(db, row, who, now):
    order = db.one("SELECT * FROM renewal WHERE cert_id = ? AND status IN ('canceled', 'rolledBack')", row["cert_id"])
    if order:
        before = find(db, order["replaces"])
        if before and state(before, now) == "current":
            return Refused("certificateRevoked", "signer", who, action="usePredecessor", predecessor=before["cert_id"])
    return Refused("certificateRevoked", "signer", who)


def successor(db, row, now):
    """SES-07: the subject's current certificate, or the newest descendant where none is current."""
    found = current(db, row["subject"], now)
    if found:
        return found["cert_id"]
    while row["successor"]:
        row = find(db, row["successor"])
    return row["cert_id"]


def revoke(db, row, reason, now, actor, own_order=False):
    """Revokes a certificate, ends its sessions, and ends the orders that it is predecessor or successor of."""
    if row["state"] == "revoked":
        return
    db.run(
        "UPDATE certificate SET state = 'revoked', revoked_at = ?, reason = ? WHERE cert_id = ?", now, reason, row["cert_id"]
    )
    end_sessions(db, row["cert_id"], "certificateRevoked")
    db.record(row["subject"], actor, did="revoked", certificate=row["cert_id"], reason=reason)
    for order in db.all("SELECT * FROM renewal WHERE replaces = ?", row["cert_id"]):
        _ended_by(db, order, "predecessorRevoked", now, actor)
    if not own_order:
        for order in db.all("SELECT * FROM renewal WHERE cert_id = ?", row["cert_id"]):
            _ended_by(db, order, "successorRevoked", now, actor)


def _ended_by(db, order, event, now, actor):
    after, does = machine.order(order["status"], event)
    if after == order["status"]:
        return
    orders.change(db, order, after, now, actor, error="certificateRevoked")
    if "revokeSuccessor" in does:
        revoke(db, find(db, order["cert_id"]), "cessationOfOperation", now, actor, own_order=True)


def confirm(db, order, now, actor):
    """CFM-04: the successor becomes current, the predecessor superseded, and its sessions end."""
    before, after = find(db, order["replaces"]), find(db, order["cert_id"])
    superseded = machine.certificate(before["state"], "superseded")
    db.run(
        "UPDATE certificate SET state = ?, successor = ? WHERE cert_id = ?", superseded, after["cert_id"], before["cert_id"]
    )
    db.run("UPDATE certificate SET state = ? WHERE cert_id = ?", machine.certificate(after["state"], "confirmed"), after["cert_id"])
    end_sessions(db, before["cert_id"], "orderCompleted")
    orders.change(db, order, "completed", now, actor)


def end_sessions(db, name, why):
    db.run("UPDATE session SET ended = ? WHERE cert_id = ? AND ended IS NULL", why, name)


def entry(row, now):
    """The certificate entry of 7.4."""
    made = {
        "certID": row["cert_id"], "notBefore": clock.write_time(row["not_before"]),
        "notAfter": clock.write_time(row["not_after"]), "state": state(row, now),
    }
    return made


def contract_entry(row, now):
    made = entry(row, now)
    for member in ("successor", "key_store"):
        if row[member]:
            made[{"key_store": "keyStore"}.get(member, member)] = row[member]
    return made


def insert(db, subject, octets, state_, ours, predecessor=None, key_store=None, key=""):
    """Takes a certificate into the registry."""
    found = load(octets)
    name = cert_id.of(found)
    db.insert(
        "certificate", cert_id=name, subject=subject, der=octets, key=key,
        not_before=clock.of_datetime(found.not_valid_before), not_after=clock.of_datetime(found.not_valid_after),
        state=state_, predecessor=predecessor, key_store=key_store, serial="%x" % found.serial_number, ours=ours,
    )
    return name


