"""newSession, session, notice, defer and logoff (SPEC.md 7.4 to 7.6, 8.2, 8.3, 9), and the contract (7.7)."""

from wire import clock, environment
from wire.problem import Refused

from . import certificates, orders
from .signer import ends


def log_on(bank, db, signer, payload, now):
    """newSession: the id of the session."""
    certificate = signer.certificate
    if payload["purpose"] == "recovery":
        if certificate["state"] != "superseded":
            raise Refused("notSuperseded", "state")
        raise Refused("rollbackDisabled", "state")
    if not environment.accepted(payload["environment"], bank.policy.environments):
        raise Refused("environmentUnsupported", "state", environments=bank.policy.environments)
    if certificate["state"] == "unconfirmed":
        row = db.one("SELECT * FROM renewal WHERE cert_id = ?", certificate["cert_id"])
        certificates.confirm(db, row, now, certificate["cert_id"])
    certificates.end_sessions(db, certificate["cert_id"], "newLogon")
    name = orders.new_id()
    db.insert("session", id=name, cert_id=certificate["cert_id"], begun=now, used=now)
    db.record(certificate["subject"], certificate["cert_id"], did="logon", session=name)
    return name


def document(bank, db, name, now):
    row = db.one("SELECT * FROM session WHERE id = ?", name)
    certificate = certificates.find(db, row["cert_id"])
    subject = db.one("SELECT * FROM subject WHERE id = ?", certificate["subject"])
    contract = db.one("SELECT * FROM contract WHERE id = ?", subject["contract"])
    place = bank.policy.url("session", name)
    made = {
        "subject": {"id": subject["id"], "name": subject["name"], "role": subject["role"]},
        "certificate": certificates.entry(certificate, now), "purpose": "renewal",
    }
    window = bank.policy.window(certificate["not_after"])
    open_order = orders.open_order(db, subject["id"])
    if window[0] <= now <= window[1] and certificate["state"] == "current":
        made["notice"] = _notice(certificate, window, None if open_order else place + "/defer")
    if open_order:
        made["order"] = bank.policy.url("order", open_order["id"])
    made["contract"] = bank.policy.url("contract", contract["place"])
    made["logoff"] = place + "/logoff"
    made["expires"] = clock.write_time(ends(row, bank.policy))
    return made


def _notice(certificate, window, defer):
    made = {
        "expires": clock.write_time(certificate["not_after"]),
        "window": {"start": clock.write_time(window[0]), "end": clock.write_time(window[1])},
        "deferrals": certificate["deferrals"],
    }
    if certificate["deferrals"]:
        made["deferredAt"] = clock.write_time(certificate["deferred_at"])
    if defer:
        made["defer"] = defer
    return made


def defer(bank, db, signer, now):
    certificate = signer.certificate
    found = orders.open_order(db, signer.subject)
    if found:
        place = bank.policy.url("order", found["id"])
        raise Refused("deferralRefused", "state", action="resumeOrder", order=place)
    start, end = bank.policy.window(certificate["not_after"])
    if not start <= now <= end:
        raise Refused("deferralRefused", "state")
    if not signer.session["deferred"]:
        db.run("UPDATE session SET deferred = 1 WHERE id = ?", signer.session["id"])
        db.run(
            "UPDATE certificate SET deferrals = deferrals + 1, deferred_at = ? WHERE cert_id = ?", now, certificate["cert_id"]
        )
        db.record(signer.subject, certificate["cert_id"], did="deferred")


def log_off(db, signer):
    db.run("UPDATE session SET ended = 'logoff' WHERE id = ?", signer.session["id"])
    db.record(signer.subject, signer.certificate["cert_id"], did="logoff", session=signer.session["id"])


def contract(bank, db, signer, place, now):
    """7.7: a user sees itself, an administrator every subject."""
    own = db.one("SELECT * FROM subject WHERE id = ?", signer.subject)
    row = db.one("SELECT * FROM contract WHERE place = ?", place)
    if row is None or row["id"] != own["contract"]:
        raise Refused("notFound", "state")
    if own["role"] == "administrator":
        shown = db.all("SELECT * FROM subject WHERE contract = ? ORDER BY id", row["id"])
    else:
        shown = [own]
    return {"id": row["id"], "name": row["name"], "subjects": [_subject(bank, db, one, now) for one in shown]}


def _subject(bank, db, subject, now):
    rows = db.all("SELECT * FROM certificate WHERE subject = ? ORDER BY number DESC", subject["id"])
    made = {
        "id": subject["id"], "name": subject["name"], "role": subject["role"], "pin": "none",
        "certificates": [certificates.contract_entry(row, now) for row in rows],
    }
    open_order = orders.open_order(db, subject["id"])
    if open_order:
        made["order"] = bank.policy.url("order", open_order["id"])
    current = certificates.current(db, subject["id"], now)
    made["deferrals"] = current["deferrals"] if current else 0
    return made
