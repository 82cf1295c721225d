"""revokeCert (SPEC.md 7.20), CRLs (6.6, 7.21) and renewalInfo (7.3): what is said of certificates in public."""

from wire import cert_id, clock
from wire.problem import Refused

from . import certificates

FRESH = 3600


def revoke(db, signer, payload, now):
    """By the certificate itself; by a session no bank of profile core does it (PRF-03)."""
    if signer.session is not None:
        raise Refused("notAuthorized", "signer")
    own = signer.certificate["cert_id"]
    if payload["certID"] != own or payload.get("includeSuccessors"):
        raise Refused("notAuthorized", "state")
    certificates.revoke(db, signer.certificate, payload["reason"], now, own)
    return {"revoked": [own]}


def crl(bank, db, now):
    """The newest CRL: a new one after each revocation, and once an hour."""
    revoked = db.all("SELECT serial, revoked_at, reason FROM certificate WHERE state = 'revoked' AND ours = 1 ORDER BY number")
    last = db.one("SELECT * FROM crl ORDER BY number DESC LIMIT 1")
    if last and last["revoked"] == len(revoked) and now - last["made"] < FRESH:
        return last["der"]
    number = last["number"] + 1 if last else 1
    der = bank.authority.crl(number, [tuple(row) for row in revoked], now)
    db.insert("crl", number=number, revoked=len(revoked), made=now, der=der)
    return der


def renewal_info(bank, db, name, now):
    try:
        cert_id.read(name)
    except ValueError as error:
        raise Refused("notFound", "state") from error
    row = certificates.find(db, name)
    if row is None:
        raise Refused("notFound", "state")
    if certificates.state(row, now) != "current":
        raise Refused("notRenewable", "state")
    start, end = bank.policy.window(row["not_after"])
    half = start + (end - start) // 2
    return {
        "suggestedWindow": {"start": clock.write_time(start), "end": clock.write_time(half)},
        "enforcedWindow": {"start": clock.write_time(start), "end": clock.write_time(end)},
    }
