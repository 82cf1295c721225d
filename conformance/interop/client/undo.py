"""cancel and rollback (SPEC.md 12.9)."""

from wire import operation

from .outcome import ACT, Ended, NoAnswer, Refusal, say


def cancel(run):
    """Cancels the client's own open order."""
    if "cancel" in finish_intents(run):
        return  # it was begun before, and is done now
    generation = next((one for one in run.store.generations() if one.is_open()), None)
    if generation is None:
        generation = _own_open_order(run)
    generation.write("intent", {"do": "cancel"})
    if not _finish_cancel(run, generation):
        say("the renewal could not be canceled any more; the new certificate is in use")


def rollback(run):
    """Takes the completed renewal of the current pair back."""
    if "rollback" in finish_intents(run):
        return  # it was begun before, and is done now
    generation = run.store.current()
    request = generation.read("request") if generation else None
    if not request or request["kind"] != "renewal":
        raise Ended(ACT, "there is no renewal to take back")
    if "rollbackWithin" not in run.bank.meta:
        raise Ended(ACT, "this bank does not take renewals back")
    if not _usable(run, generation):
        raise Ended(ACT, "the old pair is gone or has expired")
    generation.write("intent", {"do": "rollback"})
    if not _finish_rollback(run, generation):
        raise Ended(ACT, "the renewal can no longer be taken back; the new certificate stays in use")


def finish_intents(run):
    """CLI-85: what was begun before is finished first. Gives what succeeded."""
    done = set()
    for generation in run.store.generations():
        intent = generation.read("intent")
        if intent and generation.private():
            finish = {"cancel": _finish_cancel, "rollback": _finish_rollback}[intent["do"]]
            if finish(run, generation):
                done.add(intent["do"])
    return done


def _own_open_order(run):
    session = run.log_on()
    if "order" not in session.document:
        run.bank.log_off(session.document, session.signer)
        raise Ended(ACT, "no renewal is open")
    order = run.bank.read_order(session.document["order"], session.signer)
    own = run.own(order)
    if own is None:
        run.bank.log_off(session.document, session.signer)
        raise Ended(ACT, "the open renewal, begun %s, is not this client's own" % order["created"])
    if own.read("request") is None:
        own.write("request", {
            "kind": "renewal", "replaces": session.pair.cert_id, "predecessor": session.generation.number,
            "notAfter": session.pair.not_after, "name": session.document["subject"]["name"], "keyStore": order["keyStore"],
        })
    run.remember(own, order)
    return own


def _usable(run, generation):
    """Whether the old pair is there and within its validity (CLI-83)."""
    before = generation.read("request").get("predecessor")
    pair = run.store.generation(before).pair() if before is not None else None
    return pair is not None and run.now() <= pair.not_after


def _finish_cancel(run, generation):
    """True where the order is canceled, or never was; False where it goes forward."""
    if not _usable(run, generation):
        say("the old pair is gone or has expired: the cancel is given up")
        generation.drop("intent")
        return False
    run.back(generation)
    old = run.store.generation(generation.read("request")["predecessor"])
    try:
        session = run.log_on(only=old)
    except Refusal as refusal:
        if refusal.token != "certificateSuperseded":
            raise
        return _forward(run, generation)
    order = run.find(generation)
    if order is None:
        run.abandon(generation, "neverPlaced")
        generation.drop("intent")
        run.bank.log_off(session.document, session.signer)
        return True
    if order["status"] in ("processing", "valid"):
        if "cancel" not in order:
            return _forward(run, generation)
        try:
            order = run.bank.act(operation.CANCEL, order["cancel"], {"key": order["key"]}, session.signer)
        except Refusal as refusal:
            if refusal.token in ("orderCompleted", "predecessorExpired"):
                return _forward(run, generation)
            if refusal.token not in ("orderInvalid", "orderRolledBack"):
                raise
            raise NoAnswer("the order changed meanwhile: %s" % refusal.token) from refusal
    if order["status"] == "completed":
        return _forward(run, generation)
    if order["status"] in ("processing", "valid"):
        raise NoAnswer("cancel was answered with an order in %s" % order["status"])
    run.finish(generation, order)
    generation.drop("intent")
    run.bank.log_off(session.document, session.signer)
    return True


def _forward(run, generation):
    """CLI-81: the new pair is the one to use."""
    from . import renewal
    generation.drop("intent")
    order = run.find(generation)
    if order is None:
        raise Ended(ACT, "the order is gone, and the old certificate with it")
    order = run.bank.await_order(order, run.by_key(generation))
    if order["status"] not in ("valid", "completed"):
        run.finish(generation, order)
        return True
    run.install(generation, order)
    renewal.confirm(run, generation, order)
    return False


def _finish_rollback(run, generation):
    """True where the old pair is in use again; False where the new one stays."""
    order = run.find(generation)
    if order is not None and order["status"] == "completed" and _usable(run, generation):
        order = _send_rollback(run, generation)
    if order is None or order["status"] != "rolledBack":
        generation.drop("intent")
        return False
    run.finish(generation, order)
    run.back(generation)
    generation.drop("intent")
    return True


def _send_rollback(run, generation):
    old = run.store.generation(generation.read("request")["predecessor"]).pair()
    from .bank import Signer
    from .run import environment
    try:
        session, place = run.bank.log_on(old, environment(), run.settings.pin, purpose="recovery")
        signer = Signer("kid", place, old.private)
        if "rollback" not in session:
            return None
        return run.bank.act(operation.ROLLBACK, session["rollback"], {"key": generation.key().thumbprint}, signer)
    except Refusal as refusal:
        if refusal.token in ("rollbackEnded", "rollbackDisabled", "certificateExpired", "certificateRevoked"):
            say(refusal.answer.title)
            return None
        if refusal.token == "notSuperseded":
            return run.find(generation)
        raise
