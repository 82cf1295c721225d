"""The tables of SPEC.md 10.1 to 10.3 as data. The bank asks them for the next state; the vectors of fixtures/state do so, too.

Time is no state (10.5): `shown` computes the word for a certificate, and nothing here remembers that something has ended by time.
"""

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

CERTIFICATE_STATES = ("unconfirmed", "current", "superseded", "revoked")
CERTIFICATE = {
    "confirmed": ("current", "current", Refused("certificateSuperseded", "state"), Refused("certificateRevoked", "state")),
    "superseded": (None, "superseded", "superseded", "revoked"),
    "restored": (None, "current", "current", Refused("certificateRevoked", "state")),
    "revoked": ("revoked", "revoked", "revoked", "revoked"),
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


def shown(state, over):
    """The word of a certificate entry; `over`: past its notAfter."""
    return "expired" if over and state in ("unconfirmed", "current") else state


def session(status, reason, event):
    """(status, why it ended) after an event of 10.3 other than a signed request: the first reason stays."""
    if status == "ended" and event == "logoff":
        raise Refused("sessionEnded", "signature")
    return ("ended", reason if status == "ended" else event)


def run_vector(given):
    """A vector of fixtures/state: {machine, state, event}. What came `earlier` is run first, refused or not."""
    run = {"certificate": _certificate_vector, "session": _session_vector, "order": _order_vector}[given["machine"]]
    state = given["state"]
    if "earlier" in given:
        try:
            state = _after(state, run(state, given["earlier"]))
        except Refused:
            pass
    return run(state, given["event"])


def _after(state, found):
    """The state to go on from, of what came of an event."""
    if isinstance(state, str):
        return found["state"]
    return {**state, "status": found["state"], **{name: found[name] for name in ("rollback", "reason") if name in found}}


def _certificate_vector(state, event):
    if event["name"] == "looked":
        return {"state": state, "shown": shown(state, event["at"] == "secondAfter")}
    return {"state": certificate(state, event["name"])}


def _session_vector(state, event):
    if event["name"] == "signedRequest":
        if state["status"] == "ended" or event.get("at") == "secondAfterIdle":
            raise Refused("sessionEnded", "signature")
        if event["need"] not in ("either", state["purpose"]):
            raise Refused("sessionPurpose", "signer")
        return {"state": "active"}
    status, reason = session(state["status"], state.get("reason"), event["name"])
    return {"state": status, "reason": reason}


# When a rollback comes, and the rights that exist then: until 1000 seconds from now, until now, until a second ago.
RIGHTS = {"predecessorsLastSecond": ("open", "lastSecond", "over"), None: ("open", "lastSecond"), "secondAfter": ("open",)}


def _order_vector(state, event):
    kind, expired = state.get("kind", "renewal"), event.get("predecessor") == "expired"
    right = state.get("rollback")
    if event["name"] == "rollback" and state["status"] == "completed" and right not in RIGHTS[event.get("at")]:
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
    return found


def _right_of_completion(kind, expired, event):
    if kind == "enrollment" or event.get("rollbackWithin") is False:
        return "disabled"
    if event.get("final"):
        return "ended"
    return "over" if expired else "open"
