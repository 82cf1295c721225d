"""renew, resume and defer (SPEC.md 12.3 to 12.8)."""

from cryptography.hazmat.primitives.asymmetric import ec

from wire import base64url, clock, csr, operation

from . import undo
from .bank import Signer
from .outcome import ACT, LATER, Ended, NoAnswer, Refusal, say
from .run import OTHER_PAIR

KEY_STORE = "file"
NEW_KEYS = 2
GONE = ("canceled", "invalid", "rolledBack")


def renew(run, resuming=False):
    """Goes on with what is open, else places a new order; `resuming`: only goes on."""
    undo.finish_intents(run)
    for generation in run.store.generations():
        if generation.is_open():
            if _resume(run, generation):
                return _done(run)
            break
    if resuming and _nothing_to_resume(run):
        return _done(run)
    return _renew(run, resuming)


def _nothing_to_resume(run):
    """A logon with a new certificate ends the right to roll back (7.14): none where there is nothing to look for."""
    current = run.store.current()
    end = current.read("end") if current else None
    return end is not None and end["status"] == "completed"


def defer(run):
    undo.finish_intents(run)
    session = run.log_on()
    if "order" in session.document:
        run.bank.log_off(session.document, session.signer)
        raise Ended(ACT, "a renewal is open: resume or cancel it")
    notice = session.document.get("notice", {})
    if "defer" in notice:
        session.document = run.bank.defer(notice["defer"], session.signer)
        say("deferred to the next logon; the certificate ends %s" % notice["expires"])
    run.bank.log_off(session.document, session.signer)


def _done(run):
    pair = run.store.current().pair()
    say("the certificate in use is %s, until %s; log on with it from now on" % (pair.cert_id, clock.write_time(pair.not_after)))


def _renew(run, resuming):
    for _ in range(NEW_KEYS):
        session = run.log_on()
        generation = _open_order(run, session)
        if generation is None:
            if resuming or not _window_open(run, session):
                run.bank.log_off(session.document, session.signer)
                if resuming:
                    return _done(run)
                raise Ended(LATER, "the renewal is not open yet")
            generation = _new_generation(run, session)
        if _resume(run, generation, session):
            return _done(run)
    raise Ended(LATER, "the order ended; try again later")


def _open_order(run, session):
    """The generation of the subject's open order where it is the client's own; one that is abandoned is canceled (12.6)."""
    if "order" not in session.document:
        return None
    order = run.bank.read_order(session.document["order"], session.signer)
    own = run.own(order)
    if own:
        if own.read("request") is None or own.read("end") is not None:
            _write_request(run, own, session, csr_octets=None)
            own.drop("end")
        run.remember(own, order)
        return own
    _foreign(run, session, order)
    return None


def _foreign(run, session, order):
    """CLI-52, CLI-53."""
    days, seconds = clock.read_period(run.bank.meta["confirmWithin"])
    if run.now() <= clock.read_time(order["created"]) + days * clock.DAY + seconds:
        run.bank.log_off(session.document, session.signer)
        raise Ended(ACT, "a renewal begun elsewhere at %s is open; it is left alone" % order["created"])
    say("the renewal begun elsewhere at %s counts as abandoned" % order["created"])
    if "cancel" in order:
        run.bank.act(operation.CANCEL, order["cancel"], {"key": order["key"]}, session.signer)


def _window_open(run, session):
    """WIN-05: by the own count, the notice or renewalInfo, and by either clock."""
    days, _ = clock.read_period(run.bank.meta["window"])
    try:
        windows = [clock.window(session.pair.not_after, days, run.bank.meta["timeZone"])]
    except (KeyError, ValueError):
        windows = []
    if "notice" in session.document:
        window = session.document["notice"]["window"]
        windows.append((clock.read_time(window["start"]), clock.read_time(window["end"])))
    if _any_open(run, windows):
        return True
    try:
        window = _renewal_info(run, session)["enforcedWindow"]
    except (NoAnswer, Refusal):
        return False
    return _any_open(run, [(clock.read_time(window["start"]), clock.read_time(window["end"]))])


def _renewal_info(run, session):
    """As it was, until it may be asked for again (RNI-06)."""
    kept = session.generation.read("renewal-info")
    if kept is None or clock.now() >= kept["again"]:
        document, wait = run.bank.renewal_info(session.pair.cert_id)
        kept = {"again": clock.now() + wait, "document": document}
        session.generation.write("renewal-info", kept)
    return kept["document"]


def _any_open(run, windows):
    return any(start <= moment <= end for start, end in windows for moment in (run.now(), clock.now()))


def _new_generation(run, session):
    """A new key and its journal entry, durable before anything is sent (CLI-10, CLI-20)."""
    private = ec.generate_private_key(ec.SECP256R1())
    generation = run.store.new_generation(private)
    _write_request(run, generation, session, csr.write(private, session.pair.certificate.subject.public_bytes()))
    return generation


def _write_request(run, generation, session, csr_octets):
    if csr_octets is None:
        csr_octets = csr.write(generation.private(), session.pair.certificate.subject.public_bytes())
    generation.write("request", {
        "kind": "renewal", "replaces": session.pair.cert_id, "predecessor": session.generation.number,
        "notAfter": session.pair.not_after, "name": session.document["subject"]["name"],
        "keyStore": _key_store(run), "csr": base64url.encode(csr_octets),
    })


def _key_store(run):
    if KEY_STORE not in run.bank.meta["keyStores"]:
        raise Ended(ACT, "the bank does not take keys kept in files, but %s" % ", ".join(run.bank.meta["keyStores"]))
    return KEY_STORE


def _resume(run, generation, session=None):
    """Goes on with an order of the client's own: True where its certificate is confirmed, False where the order ended otherwise."""
    order = run.find(generation) if session is None or generation.read("order") else None
    if order is None:
        order = _place(run, generation, session)
        if order is None:
            return False
    order = run.bank.await_order(order, run.by_key(generation))
    if order["status"] in GONE:
        run.back(generation)
        run.finish(generation, order)
        return False
    run.install(generation, order)
    confirm(run, generation, order)
    return True


def confirm(run, generation, order):
    """CLI-65; done only by the answer of a completed order (CLI-97)."""
    if order["status"] != "completed":
        pair = generation.pair()
        signer = Signer("x5c", [pair.der()], pair.private)
        if "confirm" not in order:
            raise NoAnswer("an order in valid without confirm")
        try:
            order = run.bank.act(operation.CONFIRM, order["confirm"], {}, signer)
        except Refusal as refusal:
            if refusal.token not in ("orderCanceled", "orderInvalid", "orderRolledBack", "keyMismatch"):
                raise
            raise NoAnswer("the order changed meanwhile: %s" % refusal.token) from refusal
        run.remember(generation, order)
        if order["status"] != "completed":
            raise NoAnswer("confirm was answered with an order in %s" % order["status"])
    run.finish(generation, order)


def _place(run, generation, session):
    """newOrder with the stored CSR, after a logon (CLI-30, CLI-31); None where this key cannot be used any more."""
    request = generation.read("request")
    if request["kind"] == "enrollment":
        from . import enrollment
        return enrollment.place(run, generation)
    session = session or run.log_on()
    if session.pair.cert_id != request["replaces"]:
        run.abandon(generation, "neverPlaced")
        return None
    if generation.pair() is not None:  # a restored bank forgot the order: its key is not used in another (CLI-33)
        run.abandon(generation, "forgotten")
        return None
    payload = {"replaces": request["replaces"], "keyStore": request["keyStore"], "csr": request["csr"]}
    try:
        order = run.bank.place(operation.NEW_ORDER, payload, session.signer)
    except Refusal as refusal:
        return _place_refused(run, generation, session, refusal)
    run.remember(generation, order)
    return order


def _place_refused(run, generation, session, refusal):
    if refusal.token == "orderExists":
        order = run.bank.read_order(refusal.answer.document["order"], session.signer)
        own = run.own(order)
        run.abandon(generation, "neverPlaced")
        if own is None:
            _foreign(run, session, order)
        return None
    if refusal.token in ("keyReused", "badCSR") or refusal.token in OTHER_PAIR:
        run.abandon(generation, "neverPlaced")
        if refusal.token in OTHER_PAIR:
            raise refusal.ended()
        return None
    raise refusal
