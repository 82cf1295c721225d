"""enroll (SPEC.md 13.5)."""

from cryptography.hazmat.primitives.asymmetric import ec

from wire import base64url, csr, enrollment, name, operation

from . import renewal
from .outcome import ACT, USAGE, Ended, say
from .run import environment


def enroll(run):
    ticket = read_ticket(run.settings)
    generation = _of_reissue(run, ticket.reissue) or _new_generation(run, ticket)
    if generation.is_open():
        order = run.find(generation) or place(run, generation)
        order = run.bank.await_order(order, run.by_key(generation))
        if order["status"] not in ("valid", "completed"):
            run.finish(generation, order)
            raise Ended(ACT, "the enrollment ended in %s; ask for a new ticket" % order["status"])
        run.install(generation, order)
        renewal.confirm(run, generation, order)
    say("the certificate in use is %s" % generation.pair().cert_id)


def place(run, generation):
    """newEnrollment with the stored CSR and binding (CLI-31)."""
    request = generation.read("request")
    payload = {
        "reissue": request["reissue"], "binding": request["binding"], "csr": request["csr"], "keyStore": request["keyStore"],
        "environment": environment(),
    }
    if run.settings.pin and run.bank.meta.get("pin", {}).get("required"):
        payload["pin"] = run.settings.pin
    order = run.bank.place(operation.NEW_ENROLLMENT, payload, run.by_key(generation))
    run.remember(generation, order)
    return order


def read_ticket(settings):
    """The ticket, or Ended before anything is sent (COD-01, COD-11)."""
    try:
        ticket = enrollment.read_ticket(settings.ticket or "")
    except ValueError as error:
        raise Ended(USAGE, "KOSHIN_TICKET is no ticket: %s" % error) from error
    if ticket.directory != settings.directory:
        raise Ended(USAGE, "the ticket is of another directory than was configured: " + ticket.directory)
    return ticket


def _of_reissue(run, reissue):
    for generation in run.store.generations():
        request = generation.read("request")
        if request and request.get("reissue") == reissue and generation.private():
            return generation
    return None


def _new_generation(run, ticket):
    if "newEnrollment" not in run.bank.directory:
        raise Ended(ACT, "this bank has no enrollment")
    private = ec.generate_private_key(ec.SECP256R1())
    generation = run.store.new_generation(private)
    enrollment_key = enrollment.private_key(ticket.octets, ticket.reissue)
    generation.write("request", {
        "kind": "enrollment", "reissue": ticket.reissue, "name": ticket.name, "keyStore": renewal.KEY_STORE,
        "csr": base64url.encode(csr.write(private, name.write(ticket.name))),
        "binding": enrollment.bind(enrollment_key, ticket.reissue, run.bank.directory["newEnrollment"], generation.key()),
    })
    return generation


