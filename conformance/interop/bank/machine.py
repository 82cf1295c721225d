"""The tables of SPEC.md 10.1 to 10.3 as data. The bank asks them for the next state; the vectors of fixtures/state do so, too."""

from wire.problem import Refused

STATUSES = ("processing", "valid", "completed", "canceled", "invalid", "rolledBack")
OPEN = ("processing", "valid")

CONFIRMS = ("completed", ("confirmSuccessor", "supersedePredecessor", "endSessionsOfPredecessor"))

# event: the cells in the order of STATUSES. A cell is (next, what is done), the token of a refusal, or None: it cannot happen.
ORDER = {
    "issued": (
        ("valid", ()), ("valid", ("discardCertificate",)), ("completed", ("discardCertificate",)),
        ("canceled", ("revokeLateCertificate",)), ("invalid", ("revokeLateCertificate",)), ("rolledBack", ("discardCertificate",)),
    ),
    "issueFailed": (("invalid", ()), ("valid", ()), ("completed", ()), ("canceled", ()), ("invalid", ()), ("rolledBack", ())),
    "cancel": (
        ("canceled", ()), ("canceled", ("revokeSuccessor",)), "orderCompleted", ("canceled", ()), "orderInvalid", "orderRolledBack",
    ),
    "confirm": ("orderProcessing", CONFIRMS, ("completed", ()), "orderCanceled", "orderInvalid", "orderRolledBack"),
    "firstUse": (None, CONFIRMS, ("completed", ("endRight",)), "orderCanceled", "orderInvalid", "orderRolledBack"),
    "rollback": (
        "orderProcessing", "orderNotCompleted", ("rolledBack", ("revokeSuccessor", "endSessionsOfSuccessor", "restorePredecessor")),
        "orderCanceled", "orderInvalid", ("rolledBack", ()),
    ),
    "predecessorExpired": (
        ("processing", ()), ("valid", ()), ("completed", ("endRight",)), ("canceled", ()), ("invalid", ()), ("rolledBack", ()),
    ),
    "predecessorRevoked": (
        ("invalid", ()), ("invalid", ("revokeSuccessor",)), ("completed", ("endRight",)),
        ("canceled", ()), ("invalid", ()), ("rolledBack", ()),
    ),
    "successorOrdered": (None, "orderNotCompleted", ("completed", ("endRight",)), None, None, None),
    "successorRevoked": (None, ("invalid", ()), ("completed", ("endRight",)), ("canceled", ()), ("invalid", ()), ("rolledBack", ())),
    "subjectReissued": (
        ("invalid", ()), ("invalid", ("revokeSuccessor",)), ("completed", ("endRight",)),
        ("canceled", ()), ("invalid", ()), ("rolledBack", ()),
    ),
}

CERTIFICATE_STATES = ("unconfirmed", "current", "superseded", "revoked", "expired")
CERTIFICATE = {
    "confirmed": ("current", "current", Refused("certificateSuperseded", "state"), Refused("certificateRevoked", "state"),
                  Refused("certificateExpired", "state")),
    "superseded": (None, "superseded", "superseded", "revoked", "superseded"),
    "restored": (None, "current", "current", Refused("certificateRevoked", "state"), Refused("certificateExpired", "state")),
    "revoked": ("revoked", "revoked", "revoked", "revoked", "expired"),
    "expired": ("expired", "expired", "superseded", "revoked", "expired"),
}


def order(status, event, kind="renewal", predecessor_expired=False):
    """(next, what is done in the same transaction), or Refused at stage `state`."""
    cell = ORDER[event][STATUSES.index(status)]
    if cell is None:
        raise AssertionError("%s cannot happen in %s" % (event, status))
    if event == "cancel" and status in OPEN:
        if kind == "enrollment":
            raise Refused("notAuthorized", "state")
        if predecessor_expired:
            raise Refused("predecessorExpired", "state")
    if isinstance(cell, str):
        raise Refused(cell, "state")
    if event == "predecessorRevoked" and kind == "enrollment" and status in OPEN:
        return status, ()
    return cell


def certificate(state, event):
    """The next state, or Refused."""
    found = CERTIFICATE[event][CERTIFICATE_STATES.index(state)]
    if isinstance(found, Refused):
        raise Refused(found.token, found.stage)
    return found


def session(status, reason, event):
    """(status, why it ended) after an event of 10.3 other than a signed request: the first reason stays."""
    if status == "ended" and event == "logoff":
        raise Refused("sessionEnded", "signature")
    return ("ended", reason if status == "ended" else event)


def run_vector(given):
    """A vector of fixtures/state: {machine, state, event}."""
    event = given["event"]
    if given["machine"] == "certificate":
        return {"state": certificate(given["state"], event["name"])}
    if given["machine"] == "session":
        return _session_vector(given["state"], event)
    return _order_vector(given["state"], event)


def _session_vector(state, event):
    if event["name"] == "signedRequest":
        if state["status"] == "ended" or event.get("at") == "secondAfterIdle":
            raise Refused("sessionEnded", "signature")
        if event["need"] not in ("either", state["purpose"]):
            raise Refused("sessionPurpose", "signer")
        return {"state": "active"}
    why = {"idleTimePassed": "idle", "absoluteTimePassed": "absolute"}.get(event["name"], event["name"])
    status, reason = session(state["status"], state.get("reason"), why)
    return {"state": status, "reason": reason}


def _order_vector(state, event):
    kind, expired = state.get("kind", "renewal"), state.get("predecessor") == "expired"
    right = state.get("rollback")
    if event["name"] == "rollback" and state["status"] == "completed" and right != "open" and right != "lastSecond":
        raise Refused("rollbackDisabled" if right == "disabled" else "rollbackEnded", "state")
    after, does = order(state["status"], event["name"], kind, expired)
    found = {"state": after, "does": sorted(set(does) - {"endRight"})}
    if after == "completed" and state["status"] == "valid":
        found["rollback"] = _right_of_completion(kind, expired, event)
        if kind == "enrollment":
            found["does"] = ["completeReissue", "confirmSuccessor"]
    elif after == "completed":
        ended = "endRight" in does or event.get("final")
        found["rollback"] = "ended" if ended and right != "disabled" else right
    if after == "invalid" and state["status"] in OPEN and kind == "enrollment" and event["name"] == "issueFailed":
        found["does"] = ["failReissue"]
    if after in OPEN:
        found["predecessor"] = "expired" if event["name"] == "predecessorExpired" else state.get("predecessor")
    return found


def _right_of_completion(kind, expired, event):
    if kind == "enrollment" or event.get("rollbackWithin") is False:
        return "disabled"
    return "ended" if expired or event.get("final") else "open"
