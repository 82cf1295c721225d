"""From a path to a resource, and through the stages of SPEC.md 5.7 to an answer."""

import hashlib
import json

from wire import base64url, clock, json_text, jws, operation, payload
from wire.problem import Refused

from . import orders, policy as chosen, revocations, sessions, signer
from .http import Response

PLACES = {"new-session": "newSession", "new-order": "newOrder", "find-order": "findOrder", "revoke-cert": "revokeCert"}
BELOW = {
    "session": {"": "session", "logoff": "logoff", "defer": "defer"}, "contract": {"": "contract"},
    "order": {"": "order", "certificate": "certificate", "cancel": "cancel", "confirm": "confirm"},
}
GET = ("GET", "HEAD")


def answer(bank, request, spoken):
    kind, name, own_url = _resource(bank, request.target)
    _check_http(bank, request, kind)
    if kind in ("directory", "newNonce"):
        return bank.fresh_nonce(_unsigned(bank, request, kind))
    if kind in ("renewalInfo", "crl"):
        return _public(bank, request, kind, name)
    return bank.fresh_nonce(_signed(bank, request, kind, name, own_url, spoken))


def _resource(bank, target):
    """(kind, what it is named by, its URL), or `notFound`."""
    prefix = "/" + bank.policy.base.split("/", 3)[3]
    segments = target[len(prefix):].split("/") if target.startswith(prefix) else [""]
    own_url = bank.policy.base + "/".join(segments)
    if segments == ["directory"]:
        return "directory", None, own_url
    if segments == ["new-nonce"]:
        return "newNonce", None, own_url
    if len(segments) == 2 and segments[0] == "renewal-info":
        return "renewalInfo", segments[1], own_url
    if segments == ["crl", "1"]:
        return "crl", None, own_url
    if len(segments) == 1 and segments[0] in PLACES:
        return PLACES[segments[0]], None, own_url
    if len(segments) in (2, 3) and segments[1] and segments[0] in BELOW:
        found = BELOW[segments[0]].get(segments[2] if len(segments) == 3 else "")
        if found and (len(segments) == 2 or segments[2]):
            return found, segments[1], own_url
    raise Refused("notFound", "http")


def _check_http(bank, request, kind):
    allowed = GET if kind in ("directory", "newNonce", "renewalInfo", "crl") else ("POST",)
    if request.method not in allowed:
        refused = Refused("methodNotAllowed", "http")
        refused.allow = ", ".join(allowed)
        raise refused
    if request.header("host") != bank.policy.authority:
        raise Refused("misdirected", "http")
    if allowed == GET:
        return
    media_type = (request.header("content-type") or "").split(";")[0].strip().lower()
    coding = request.header("content-encoding")
    if media_type != "application/jose+json" or coding is not None and coding.lower() != "identity":
        raise Refused("unsupportedMediaType", "http")
    if request.body is None:
        raise Refused("payloadTooLarge", "http")


def _json(status, value, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"Content-Type": "application/json", **named}, json_text.write(value))


def _unsigned(bank, request, kind):
    if kind == "newNonce":
        return Response(200 if request.method == "HEAD" else 204)
    return _json(200, bank.policy.document(bank.authority.chain))


def _public(bank, request, kind, name):
    try:
        with bank.transaction() as db:
            if kind == "crl":
                body, media_type = revocations.crl(bank, db, clock.now()), "application/pkix-crl"
            else:
                found = revocations.renewal_info(bank, db, name, clock.now())
                body, media_type = json_text.write(found), "application/json"
    except Refused as refused:
        refused.public = True
        raise
    headers = {"ETag": '"%s"' % hashlib.sha256(body).hexdigest()[:32], "Cache-Control": "max-age=600"}
    if kind == "renewalInfo":
        headers["Retry-After"] = "21600"
    if headers["ETag"] in [one.strip() for one in (request.header("if-none-match") or "").split(",")]:
        return Response(304, headers)
    return Response(200, {"Content-Type": media_type, **headers}, body)


def _signed(bank, request, kind, name, own_url, spoken):
    """A signed request: stages `jws`, `operation`, `key` and `nonce` outside the transaction, the others within it."""
    read = jws.read(request.body)
    jws.check_operation(read, own_url, kind)
    known = signer.session_key(bank, bank.policy, read) if read.signer == "kid" else None
    key = jws.signing_key(read, known, chosen.ALGORITHMS)
    if not bank.nonces.spend(read.header["nonce"]):
        raise Refused("badNonce", "nonce")
    with bank.transaction() as db:
        now = clock.now()
        own_session = name if kind in ("session", "logoff", "defer") else None
        who = signer.verify(db, bank.policy, read, key, now, own_session)
        form = None
        if read.header["typ"] == operation.NEW_SESSION:
            form = payload.read(read.header["typ"], read.payload) if _asks_recovery(read.payload) else None
        own_order = kind == "confirm" and _is_of(db, name, who.certificate)
        signer.check(db, who, read.header["typ"], kind, now, recovery=form is not None, own_order=own_order)
        form = form or payload.read(read.header["typ"], read.payload)
        if who.session is not None:
            db.run("UPDATE session SET used = ? WHERE id = ?", now, who.session["id"])
        act = _ACTS[kind]
        response = act(bank, db, who, name, form, now, request, spoken)
    if kind == "newOrder" and response.status == 201:
        bank.issuing.begin(response.order)
        with bank.transaction() as db:
            return _order(bank, db, orders.find(db, response.order), clock.now(), spoken, 201, located=True)
    return response


def _asks_recovery(octets):
    try:
        return json.loads(octets).get("purpose") == "recovery"
    except (ValueError, AttributeError, RecursionError):
        return False


def _is_of(db, name, certificate):
    row = orders.find(db, name)
    return row is not None and row["cert_id"] == certificate["cert_id"]


def _order(bank, db, row, now, spoken, status=200, located=False):
    response = _json(status, orders.document(bank, db, row, now, spoken))
    if located:
        response.headers["Location"] = bank.policy.url("order", row["id"])
    if row["status"] == "processing":
        response.headers["Retry-After"] = str(chosen.RETRY_AFTER)
    return response


def _new_session(bank, db, who, name, form, now, request, spoken):
    name = sessions.log_on(bank, db, who, form, now)
    return _json(201, sessions.document(bank, db, name, now), Location=bank.policy.url("session", name))


def _session(bank, db, who, name, form, now, request, spoken):
    return _json(200, sessions.document(bank, db, name, now))


def _log_off(bank, db, who, name, form, now, request, spoken):
    sessions.log_off(db, who)
    return Response(204)


def _defer(bank, db, who, name, form, now, request, spoken):
    sessions.defer(bank, db, who, now)
    return _json(200, sessions.document(bank, db, name, now))


def _contract(bank, db, who, name, form, now, request, spoken):
    return _json(200, sessions.contract(bank, db, who, name, now))


def _new_order(bank, db, who, name, form, now, request, spoken):
    row, new = orders.place(bank, db, who, form, now)
    response = _order(bank, db, row, now, spoken, 201 if new else 200, located=True)
    response.order = row["id"]
    return response


def _find_order(bank, db, who, name, form, now, request, spoken):
    return _order(bank, db, orders.by_key(db, who.key), now, spoken, located=True)


def _read_order(bank, db, who, name, form, now, request, spoken):
    return _order(bank, db, orders.readable(db, who, name), now, spoken)


def _cancel(bank, db, who, name, form, now, request, spoken):
    return _order(bank, db, orders.cancel(bank, db, who, name, form, now), now, spoken)


def _confirm(bank, db, who, name, form, now, request, spoken):
    return _order(bank, db, orders.confirm(db, who, name, now), now, spoken)


def _certificate(bank, db, who, name, form, now, request, spoken):
    chain = orders.chain(orders.readable(db, who, name))
    if _prefers_der(request.header("accept")):
        return Response(200, {"Content-Type": "application/pkix-cert"}, chain[0])
    pem = "".join(
        "-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" % _lines(base64url.encode_der(der)) for der in chain
    )
    return Response(200, {"Content-Type": "application/pem-certificate-chain"}, pem.encode("ascii"))


def _lines(text):
    return "".join(text[at : at + 64] + "\n" for at in range(0, len(text), 64))


def _prefers_der(accept):
    """Whether application/pkix-cert has a greater quality than the chain in PEM."""
    best = {"application/pkix-cert": 0.0, "application/pem-certificate-chain": 0.0}
    for entry in (accept or "").split(","):
        media_type, *parameters = [part.strip() for part in entry.split(";")]
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        for known in best:
            if media_type.lower() in (known, "application/*", "*/*"):
                best[known] = max(best[known], quality)
    return best["application/pkix-cert"] > best["application/pem-certificate-chain"]


def _revoke_cert(bank, db, who, name, form, now, request, spoken):
    return _json(200, revocations.revoke(db, who, form, now))


_ACTS = {
    "newSession": _new_session, "session": _session, "logoff": _log_off, "defer": _defer, "contract": _contract,
    "newOrder": _new_order, "findOrder": _find_order, "order": _read_order, "cancel": _cancel, "confirm": _confirm,
    "certificate": _certificate, "revokeCert": _revoke_cert,
}
