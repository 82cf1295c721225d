"""The bank's operations, signed, with the repetitions of SPEC.md 5.11 and 12.5."""

import random
import time

from wire import clock, json_text, jws, objects, operation, problem, signature, url

from .outcome import LATER, Ended, NoAnswer, Refusal
from .transport import MOST_LONG

MOST_NONCES = 5
MOST_REPEATS = 6
LONGEST_WAIT = 3600
PATIENCE = 90
PROCESSING = 40
LEAST_INFO, MOST_INFO = 60, 86400


class Signer:
    """What goes into the header: `x5c`, `kid` or `jwk`, and the private key."""

    def __init__(self, member, value, private):
        self.member, self.value, self.private = member, value, private


class Bank:
    """One bank, for one run."""

    def __init__(self, transport, directory, lifetime):
        self.transport, self.directory, self.meta = transport, directory, directory["meta"]
        self._nonces, self._lifetime = [], lifetime

    @classmethod
    def open(cls, transport, lifetime):
        """Reads the directory. `lifetime`: gives the seconds that the current certificate has left."""
        bank = cls(transport, {"meta": {}}, lifetime)
        answer = bank._patiently(lambda: bank._plain("GET", transport.directory))
        document = bank._document(answer, "directory")
        for name, member in document.items():
            if isinstance(member, str) and not url.below(member, transport.directory):
                raise Ended(LATER, "the directory has %s outside its base" % name)
        bank.directory, bank.meta = document, document["meta"]
        return bank

    def pause(self, seconds):
        """RTA-04: a wait that the bank asks for, capped; one too long for a run ends it."""
        seconds = min(max(1, seconds), LONGEST_WAIT, max(1, self._lifetime() // 10))
        if seconds > PATIENCE:
            raise Ended(LATER, "the bank asks to wait %d seconds" % seconds)
        time.sleep(seconds)

    # Operations

    def log_on(self, pair, environment, pin=None, purpose="renewal"):
        """(session, its URL)."""
        payload = {"environment": environment, "purpose": purpose}
        if pin and self.meta.get("pin", {}).get("required"):
            payload["pin"] = pin
        signer = Signer("x5c", [pair.der()], pair.private)
        answer = self._patiently(lambda: self._signed(operation.NEW_SESSION, self.directory["newSession"], payload, signer))
        session = self._document(answer, "session")
        return session, self._location(answer)

    def log_off(self, session, signer):
        try:
            self._signed(operation.LOGOFF, session["logoff"], {}, signer)
        except (NoAnswer, Refusal, Ended):
            return

    def read_order(self, target, signer):
        answer = self._patiently(lambda: self._signed(operation.READ, target, None, signer))
        return self._order(answer)

    def find_order(self, private, key):
        """The order of this key, None where the bank has none."""
        signer = Signer("jwk", key.members, private)
        try:
            answer = self._patiently(lambda: self._signed(operation.FIND_ORDER, self.directory["findOrder"], {}, signer))
        except Refusal as refusal:
            if refusal.token == "orderUnknown":
                return None
            raise
        return self._order(answer)

    def await_order(self, order, signer):
        """Reads an order until it is no longer `processing`, as often as Retry-After allows (RTA-03, RTA-07)."""
        for _ in range(PROCESSING):
            if order["status"] != "processing":
                return order
            self.pause(order.pop("retryAfter", None) or 1)
            known, order = order["self"], self.read_order(order["self"], signer)
            if order["self"] != known:
                raise NoAnswer("another order")
        raise Ended(LATER, "the certificate is not issued yet")

    def place(self, typ, payload, signer):
        """newOrder and newEnrollment."""
        target = self.directory["newOrder" if typ == operation.NEW_ORDER else "newEnrollment"]
        return self._order(self._signed(typ, target, payload, signer))

    def act(self, typ, target, payload, signer):
        """cancel, confirm and rollback: the order."""
        return self._order(self._signed(typ, target, payload, signer))

    def defer(self, target, signer):
        return self._document(self._patiently(lambda: self._signed(operation.DEFER, target, {}, signer)), "session")

    def certificate(self, target, signer):
        """The chain in PEM."""
        return self._patiently(lambda: self._signed(operation.READ, target, None, signer, most=MOST_LONG)).body

    def renewal_info(self, name):
        """renewalInfo, and for how many seconds it is not asked for again (RNI-06)."""
        answer = self._plain("GET", self.directory["renewalInfo"] + "/" + name)
        wait = min(max(answer.retry_after() or 0, LEAST_INFO), MOST_INFO)
        return self._document(answer, "renewalInfo"), wait

    # Answers

    def _document(self, answer, table):
        try:
            if answer.media_type() != "application/json":
                raise ValueError("another media type")
            value = json_text.read_response(answer.body)
            objects.check(table, value)
            return value
        except (ValueError, RecursionError) as error:
            if table == "directory":
                self._refuse_version(answer.body)
            raise NoAnswer("a response that breaks section 4: %s" % error) from error

    def _refuse_version(self, body):
        try:
            version = json_text.read_response(body)["meta"]["version"]
        except (ValueError, RecursionError, KeyError, TypeError):
            return
        if version != "1":
            raise Ended(11, "the bank speaks another version of the protocol")

    def _order(self, answer):
        order = self._document(answer, "order")
        order["retryAfter"] = answer.retry_after()
        return order

    def _location(self, answer):
        try:
            target = url.check(answer.header("Location"))
        except ValueError as error:
            raise NoAnswer("no Location") from error
        return target

    # Requests

    def _plain(self, method, target):
        answer = self.transport.send(method, target)
        self._remember(answer)
        self._refuse(answer)
        return answer

    def _signed(self, typ, target, payload, signer, most=json_text.MOST_OCTETS):
        """One operation; repeated where the bank refuses the nonce, or asks to wait or to try again."""
        refused_nonces = repeats = 0
        body = b"" if payload is None else json_text.write(payload)
        while True:
            answer = self.transport.send("POST", target, self._body(typ, target, body, signer), {"Content-Type": "application/jose+json"}, most)
            self._remember(answer)
            try:
                self._refuse(answer)
                return answer
            except Refusal as refusal:
                if refusal.token == "badNonce":
                    refused_nonces += 1
                    if refused_nonces >= MOST_NONCES:
                        raise Ended(LATER, "the bank refused %d nonces in a row" % refused_nonces) from refusal
                    continue
                if not _repeatable(refusal) or repeats >= MOST_REPEATS:
                    raise
                wait = self._asked_to_wait(answer, refusal)
            repeats += 1
            refused_nonces = 0
            self.pause(wait if wait is not None else _growing(repeats))

    def _asked_to_wait(self, answer, refusal):
        """Seconds, by Retry-After or by `notBefore` of the remedy; None where the bank says neither (ERR-05)."""
        wait = answer.retry_after()
        if wait is None and refusal.answer is not None and "notBefore" in refusal.answer.remedy:
            wait = clock.read_time(refusal.answer.remedy["notBefore"]) - self.transport.now()
        return wait

    def _body(self, typ, target, payload, signer):
        alg = signature.algorithm_of(signer.private)
        if alg == "RS256" and alg not in self.meta["algorithms"]:
            alg = "PS256"
        if alg not in self.meta["algorithms"]:
            raise Ended(11, "the bank verifies no algorithm that fits the key")
        for target_url in (target, signer.value if signer.member == "kid" else target):
            if not url.below(target_url, self.transport.directory):
                raise Ended(LATER, "a URL outside the base of the directory is not signed")
        header = {"alg": alg, "typ": typ, "nonce": self._nonce(), "url": target, signer.member: signer.value}
        return json_text.write(jws.write(header, payload, signer.private))

    def _nonce(self):
        if not self._nonces:
            self._patiently(lambda: self._plain("HEAD", self.directory["newNonce"]))
        if not self._nonces:
            raise NoAnswer("no nonce")
        return self._nonces.pop()

    def _remember(self, answer):
        nonce = answer.header("Replay-Nonce")
        self._nonces = [nonce] if nonce else []

    def _refuse(self, answer):
        if 200 <= answer.status <= 299:
            return
        try:
            if answer.media_type() != "application/problem+json":
                raise ValueError("no problem document")
            read = problem.Answer(json_text.read_response(answer.body))
        except (ValueError, RecursionError) as error:
            if answer.status >= 500:
                raise NoAnswer("status %d" % answer.status, answer.retry_after()) from error
            raise Refusal(answer.status, problem.action(None, answer.status)) from error
        raise Refusal(answer.status, read.action, read)

    def _patiently(self, request):
        """Repeats a request that changes nothing (reads, logon) where no answer came."""
        for count in range(1, MOST_REPEATS + 1):
            try:
                return request()
            except NoAnswer as lost:
                if count == MOST_REPEATS:
                    raise Ended(LATER, "the bank does not answer: %s" % lost) from lost
                if lost.wait:
                    self.pause(lost.wait)
                else:
                    time.sleep(_growing(count))
        raise AssertionError("unreachable")


def _repeatable(refusal):
    if refusal.token in ("tooEarly", "orderProcessing", "certificateNotYetValid"):
        return False
    return refusal.action in ("wait", "retry")


def _growing(count):
    """CLI-42: grows, varies, has a ceiling."""
    return min(5.0, 0.2 * 2**count) * random.uniform(0.5, 1.0)
