"""One run of the client: what every action needs (SPEC.md 12)."""

import platform
import random
import re
import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from wire import base64url, name, problem, receipt

from . import install
from .bank import Bank, Signer
from .outcome import ACT, LATER, REISSUE, Ended, NoAnswer, Refusal, say
from .store import read_chain
from .transport import Transport

ROUNDS = 6
OTHER_PAIR = ("certificateUnknown", "certificateRevoked", "certificateSuperseded", "certificateExpired")


def environment():
    """What this client runs on, as it is (ENV-03)."""
    version = re.match(r"[0-9]+(\.[0-9]+)*", platform.release())
    return {
        "os": platform.system().lower() or "unknown", "osVersion": version.group(0) if version else "0",
        "software": "koshin-interop", "softwareVersion": "1.0",
    }


class Session:
    """A logon of a pair."""

    def __init__(self, document, place, pair, generation):
        self.document, self.pair, self.generation = document, pair, generation
        self.signer = Signer("kid", place, pair.private)


class Run:
    """The store, the bank, and the roots of one run."""

    def __init__(self, store, settings):
        self.store, self.settings = store, settings
        self.roots = read_chain(Path(settings.trust).read_bytes())
        self.transport = Transport(settings.directory, settings.trust)
        self.bank = None

    def rounds(self, attempt):
        """Runs an attempt; after a request without an answer the directory is read and everything decided anew (CLI-30, CLI-43)."""
        for count in range(1, ROUNDS + 1):
            try:
                self.bank = Bank.open(self.transport, self._lifetime)
                return attempt()
            except NoAnswer as lost:
                say("no answer (%s); looking again" % lost)
                if lost.wait:
                    self.bank.pause(lost.wait)
                else:
                    time.sleep(min(4.0, 0.1 * 2**count) * random.uniform(0.5, 1.0))
            except Refusal as refusal:
                if refusal.token != "sessionEnded" or count == ROUNDS:
                    raise refusal.ended() from refusal
        raise Ended(LATER, "no progress; the renewal can be resumed")

    def now(self):
        return self.transport.now()

    def _lifetime(self):
        current = self.store.current()
        pair = current and current.pair()
        return max(0, pair.not_after - self.now()) if pair else 86400

    # Logon

    def log_on(self, only=None):
        """A session of the current pair, or of the newest other pair that the bank takes (CLI-70, CLI-71)."""
        refused = None
        for generation in [only] if only else self._candidates():
            pair = generation.pair()
            if pair is None or self.now() > pair.not_after and (only is None and refused is not None):
                continue
            try:
                document, place = self.bank.log_on(pair, environment(), self.settings.pin)
            except Refusal as refusal:
                if refusal.token not in OTHER_PAIR or only:
                    raise
                refused = refused or refusal
                continue
            if document["certificate"]["certID"] != pair.cert_id:
                raise Ended(ACT, "the bank logged on another certificate")
            if document["subject"]["name"] != _subject(pair):
                raise Ended(ACT, "the bank logged on another subject")
            if only is None and generation.number != self.store.current().number:
                self.store.switch(generation)
            return Session(document, place, pair, generation)
        raise self._nothing_left(refused)

    def _candidates(self):
        current = self.store.current()
        rest = [one for one in self.store.generations() if current is None or one.number != current.number]
        return ([current] if current else []) + rest

    def _nothing_left(self, refused):
        if refused is None:
            return Ended(REISSUE, "there is no certificate that can log on")
        if refused.action == "useSuccessor":
            return Ended(ACT, "the certificate was renewed elsewhere: %s" % refused.answer.document.get("successor", ""))
        return refused.ended()

    # Orders

    def own(self, order):
        """The generation that has the order's key, None where it is not the client's own (12.6)."""
        for generation in self.store.generations():
            if generation.private() and generation.key().thumbprint == order["key"]:
                return generation
        return None

    def by_key(self, generation):
        return Signer("jwk", generation.key().members, generation.private())

    def remember(self, generation, order):
        """Keeps where the order is; another key (ENC-46) or another place than before (ORD-24) is no answer about it."""
        if order["key"] != generation.key().thumbprint:
            raise NoAnswer("an order of another key")
        known = generation.read("order")
        if known is None:
            generation.write("order", {"self": order["self"], "created": order["created"]})
        elif known["self"] != order["self"]:
            raise NoAnswer("another order")

    def find(self, generation):
        """The order of a generation, read by its key; None where the bank has none."""
        known = generation.read("order")
        signer = self.by_key(generation)
        try:
            order = self.bank.read_order(known["self"], signer) if known else None
        except Refusal as refusal:
            if refusal.token != "notFound":
                raise
            order = None
        if order is None:
            generation.drop("order")  # the bank does not know it there any more
            order = self.bank.find_order(generation.private(), generation.key())
        if order is not None:
            self.remember(generation, order)
        return order

    def finish(self, generation, order):
        """An order that ended: its receipt is verified and kept (RCP-04 to RCP-06)."""
        kept = {"status": order["status"], "receipt": None}
        try:
            payload = receipt.verify(order["receipt"], self.roots)
            if receipt.fits(payload, order):
                kept["receipt"] = order["receipt"]
        except (KeyError, ValueError) as error:
            say("the receipt is not taken: %s" % error)
        if order["status"] == "completed" and kept["receipt"] is None:
            # Whoever stands in between could have written that it is completed (CLI-97).
            raise Ended(LATER, "the receipt of the completed order proves nothing; the renewal can be resumed")
        if "error" in order:
            told = problem.Answer(order["error"])
            kept["error"] = told.token
            say(told.title + " " + told.detail)
        generation.write("end", kept)

    def abandon(self, generation, why):
        generation.write("end", {"status": why, "receipt": None})

    def install(self, generation, order):
        """Checks, stores and switches (CLI-60 to CLI-64)."""
        request = generation.read("request")
        if "chain" not in order and "certificate" in order:
            order["chain"] = _chain_of(self.bank.certificate(order["certificate"], self.by_key(generation)))
        certificates = install.read_chain(order)
        install.check(
            certificates, order, generation.key(), request["name"], self.roots, self.now(), request.get("notAfter")
        )
        if generation.pair() is None:
            generation.write_chain(certificates)
        current = self.store.current()
        if current is None or current.number != generation.number:
            self.store.switch(generation)

    def back(self, generation):
        """To the old pair, where the client had switched."""
        current, before = self.store.current(), generation.read("request").get("predecessor")
        if current and current.number == generation.number and before is not None:
            self.store.switch(self.store.generation(before))


def _subject(pair):
    return name.read(pair.certificate.subject.public_bytes())


def _chain_of(pem):
    return [base64url.encode_der(one.public_bytes(Encoding.DER)) for one in read_chain(pem)]
