"""Who signed, and whether it may (SPEC.md 5.5; stages `signature` and `signer` of 5.7)."""

from wire import base64url, jwk, jws, operation
from wire.problem import Refused

from . import certificates

class Signer:
    """A signer whose signature was verified: a key, a certificate, or a session with its certificate."""

    def __init__(self, key, certificate=None, session=None):
        self.key, self.certificate, self.session = key, certificate, session
        self.subject = certificate["subject"] if certificate else None


def session_key(store, policy, request):
    """The key of the session that `kid` names, for stage `key`; None where there is no such session."""
    with store.transaction() as db:
        row = _session(db, policy, request.header["kid"])
        found = row and db.one("SELECT der FROM certificate WHERE cert_id = ?", row["cert_id"])
        return jwk.of(certificates.load(found["der"]).public_key()) if found else None


def verify(db, policy, request, key, now, own_session=None):
    """Stage `signature`. `own_session` is the session that the URL belongs to, where it belongs to one."""
    session = certificate = None
    if request.signer == "kid":
        session = _session(db, policy, request.header["kid"])
        if not session or not active(session, policy, now) or own_session not in (None, session["id"]):
            raise Refused("sessionEnded", "signature")
        certificate = certificates.find(db, session["cert_id"])
    elif request.signer == "x5c":
        octets = base64url.decode_der(request.header["x5c"][0])
        certificate = db.one("SELECT * FROM certificate WHERE der = ?", octets)
        if not certificate:
            raise Refused("certificateUnknown", "signature")
    jws.check_signature(request, key)
    return Signer(key, certificate, session)


def check(db, signer, typ, kind, now, recovery=False, own_order=None):
    """Stage `signer`. `own_order` is the order of the certificate that confirms it: then 7.13 decides later."""
    certificate = signer.certificate
    if certificate is None or own_order:
        return
    tolerated = set()
    if typ == operation.REVOKE_CERT:
        tolerated = {"revoked", "superseded"}
    elif kind == "certificate" or recovery:
        tolerated = {"superseded"}
    if signer.session is not None:
        tolerated = set()
    certificates.refuse_state(db, certificate, now, tolerated)
    refuse_disabled(db, certificate)


def refuse_disabled(db, certificate):
    if db.one("SELECT disabled FROM subject WHERE id = ?", certificate["subject"])["disabled"]:
        raise Refused("subjectDisabled", "signer")


def active(session, policy, now):
    return not session["ended"] and now <= ends(session, policy)


def ends(session, policy):
    """The earlier of idle and absolute end (SES-33)."""
    return min(session["used"] + policy.idle, session["begun"] + policy.absolute)


def _session(db, policy, kid):
    prefix = policy.url("session", "")
    if not kid.startswith(prefix):
        return None
    return db.one("SELECT * FROM session WHERE id = ?", kid[len(prefix):])
