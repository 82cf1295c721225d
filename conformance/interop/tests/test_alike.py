"""Two banks that do not know each other, this one and koshin-server, are told the same: they answer the same."""

import base64
import sys
import unittest
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.banks import PythonBank, RustBank  # noqa: E402
from tests.raw import Person, Wire  # noqa: E402
from wire import base64url, csr, json_text, name, operation as op  # noqa: E402

ABSENT, KEY = "A" * 22, "A" * 43
WRONG = {"change": lambda body: json_text.write({**body, "signature": base64url.encode(b"x" * 64)})}


def padded(length):
    return {"change": lambda body: json_text.write(body).ljust(length)}


def other_name():
    return base64url.encode(csr.write(ec.generate_private_key(ec.SECP256R1()), name.write("CN=x")))


def public(wire):
    """Without a signature."""
    for place in ("newSession", "newOrder", "findOrder", "revokeCert"):
        yield "GET " + place, wire.send("GET", wire.directory[place])
        yield "POST nothing to " + place, wire.send("POST", wire.directory[place], b"")
    yield "newNonce by HEAD", wire.send("HEAD", wire.directory["newNonce"])
    yield "newNonce by GET", wire.send("GET", wire.directory["newNonce"])
    yield "newNonce by POST", wire.send("POST", wire.directory["newNonce"], b"")
    yield "OPTIONS", wire.send("OPTIONS", wire.bank.directory)
    for path in ("", "nothing", "directory/", "directory?x=1", "renewal-info"):
        yield "GET " + path, wire.send("GET", wire.base + path)
    yield "another host", wire.send("GET", wire.bank.directory, None, {"Host": "other.example"})
    for named in ("AA.AQ", "x", ABSENT):
        yield "renewalInfo " + named, wire.send("GET", wire.directory["renewalInfo"] + "/" + named)


def logons(wire):
    """newSession, by every kind of certificate and with every kind of defect."""
    person, expired = Person(wire), Person(wire, days=-1)
    yield "renewalInfo", wire.send("GET", wire.directory["renewalInfo"] + "/" + person.cert_id)
    yield "renewalInfo expired", wire.send("GET", wire.directory["renewalInfo"] + "/" + expired.cert_id)
    yield "expired", expired.log_on()
    yield "expired, to recover", expired.log_on({"purpose": "recovery"})
    yield "expired administrator", Person(wire, days=-1, role="administrator").log_on()
    yield "not yet valid", Person(wire, begun=1, days=300).log_on()
    yield "current", person.log_on()
    yield "current, to recover", person.log_on({"purpose": "recovery"})
    yield "another purpose", person.log_on({"purpose": "x"})
    yield "a PIN that nobody asked for", person.log_on({"pin": "whatever"})
    yield "by jwk", person.by_key(op.NEW_SESSION, wire.directory["newSession"], {}, key=person.key)
    yield "another nonce", person.log_on(header={"nonce": ABSENT})
    yield "another url", person.log_on(header={"url": wire.base + "new-order"})
    yield "another typ", person.log_on(header={"typ": op.NEW_ORDER})
    yield "alg none", person.log_on(header={"alg": "none"})
    yield "another alg", person.log_on(header={"alg": "ES384"})
    yield "another member", person.log_on(header={"crit": []})
    yield "another signature", person.log_on(**WRONG)
    yield "another signature over a wrong payload", person.log_on({"x": 1}, **WRONG)
    for what, octets in (("no DER", b"junk"), ("no certificate", bytes.fromhex("3003020101")), ("more", base64.b64decode(person.x5c) + b"\0")):
        yield "x5c with " + what, person.log_on(header={"x5c": [base64.b64encode(octets).decode("ascii")]})
    yield "no certificate and alg none", person.log_on(header={"x5c": ["AAAA"], "alg": "none"})
    yield "media type", person.log_on(headers={"Content-Type": "application/json"})
    yield "media type with parameter", person.log_on(headers={"Content-Type": "application/jose+json; charset=utf-8"})
    yield "compressed", person.log_on(headers={"Content-Encoding": "gzip"})
    yield "not compressed", person.log_on(headers={"Content-Encoding": "identity"})
    yield "65536 octets", person.log_on(**padded(65536))


def sessions(wire):
    """A session and what is absent or foreign to it."""
    person, other = Person(wire), Person(wire)
    person.log_on(), other.log_on()
    yield "read", person.by_session(op.READ, person.kid)
    yield "read with payload", person.by_session(op.READ, person.kid, {})
    yield "contract", person.by_session(op.READ, person.session["contract"])
    yield "foreign session", other.by_session(op.READ, person.kid)
    yield "foreign logoff", other.by_session(op.LOGOFF, person.session["logoff"], {})
    yield "foreign contract", other.by_session(op.READ, person.session["contract"])
    for kind in ("session", "order", "contract"):
        for named in (ABSENT, "x"):
            yield "absent %s %s" % (kind, named), person.by_session(op.READ, wire.base + kind + "/" + named)
    yield "absent certificate", person.by_session(op.READ, wire.base + "order/%s/certificate" % ABSENT)
    yield "absent cancel", person.by_session(op.CANCEL, wire.base + "order/%s/cancel" % ABSENT, {"key": KEY})
    yield "absent confirm", person.by_certificate(op.CONFIRM, wire.base + "order/%s/confirm" % ABSENT, {})
    unknown = {"header": {"kid": wire.base + "session/" + ABSENT}}
    yield "unknown kid", person.by_session(op.READ, person.kid, **unknown)
    yield "unknown kid, another signature", person.by_session(op.READ, person.kid, **unknown, **WRONG)
    yield "unknown kid, another alg", person.by_session(op.READ, person.kid, alg="ES384", **unknown)
    yield "kid of an order", person.by_session(op.READ, person.kid, header={"kid": wire.base + "order/x"})
    yield "kid elsewhere", person.by_session(op.NEW_ORDER, wire.directory["newOrder"], {}, header={"kid": "https://other.example/s"})
    yield "defer", person.by_session(op.DEFER, person.session["notice"]["defer"], {})
    yield "defer again", person.by_session(op.DEFER, person.session["notice"]["defer"], {})
    yield "logoff", person.by_session(op.LOGOFF, person.session["logoff"], {})
    yield "logoff again", person.by_session(op.LOGOFF, person.session["logoff"], {})


def placing(wire):
    """newOrder with every kind of defect, and the same again."""
    early, person = Person(wire, days=200), Person(wire)
    yield "far from its end", early.log_on()
    yield "too early", early.order()
    yield "too early with another subject", early.order(csr=other_name())
    yield "defer too early", early.by_session(op.DEFER, early.kid + "/defer", {})
    person.log_on()
    yield "another certificate", person.order(replaces="AA.AQ")
    for named in ("nonsense", "", "a" * 100):
        yield "key store " + named, person.order(keyStore=named)
    yield "the certificate's own key", person.order(key=person.key)
    yield "no CSR", person.order(csr="AAAA")
    yield "another subject", person.order(csr=other_name())
    yield "an odd member", person.order(more=1)
    yield "an order", person.order()
    key = person.new_key
    yield "the same", person.order(key=key)
    yield "the same with another key store", person.order(key=key, keyStore="nonsense")
    yield "the same key for another certificate", person.order(key=key, replaces="AA.AQ")
    yield "another key", person.order(keyStore="nonsense")
    yield "the session", person.by_session(op.READ, person.kid)
    yield "the contract", person.by_session(op.READ, person.session["contract"])
    yield "defer with an order", person.by_session(op.DEFER, person.kid + "/defer", {})
    other = Person(wire)
    other.log_on()
    yield "a key that another subject's order has", other.order(key=key)


def reading(wire):
    """An order in valid, by everybody."""
    person, other = Person(wire), Person(wire)
    person.log_on(), other.log_on(), person.order()
    order, after = person.placed, person.successor()
    yield "order by session", person.by_session(op.READ, order["self"])
    yield "order by key", person.by_key(op.READ, order["self"])
    yield "order by another key", person.by_key(op.READ, order["self"], key=person.key)
    yield "order by certificate", person.by_certificate(op.READ, order["self"])
    yield "certificate by session", person.by_session(op.READ, order["certificate"])
    yield "certificate in DER", person.by_session(op.READ, order["certificate"], headers={"Accept": "application/pkix-cert"})
    yield "certificate as JSON", person.by_session(op.READ, order["certificate"], headers={"Accept": "application/json"})
    yield "certificate by itself", after.by_certificate(op.READ, order["certificate"])
    yield "certificate by its predecessor", person.by_certificate(op.READ, order["certificate"])
    yield "findOrder", person.by_key(op.FIND_ORDER, wire.directory["findOrder"], {})
    yield "findOrder by another key", person.by_key(op.FIND_ORDER, wire.directory["findOrder"], {}, key=person.key)
    yield "renewalInfo of the unconfirmed", wire.send("GET", wire.directory["renewalInfo"] + "/" + after.cert_id)
    yield "foreign order", other.by_session(op.READ, order["self"])
    yield "foreign certificate", other.by_session(op.READ, order["certificate"])
    yield "foreign cancel", other.by_session(op.CANCEL, order["cancel"], {"key": order["key"]})
    yield "foreign confirm", other.by_certificate(op.CONFIRM, order["confirm"], {})
    yield "cancel with another key", person.by_session(op.CANCEL, order["cancel"], {"key": KEY})
    yield "confirm by the predecessor", person.by_certificate(op.CONFIRM, order["confirm"], {})
    yield "confirm with an odd payload", after.by_certificate(op.CONFIRM, order["confirm"], {"final": 1})


def canceled(wire):
    """An order that was canceled, and one whose successor was revoked."""
    person = Person(wire)
    person.log_on(), person.order()
    order, after, key = person.placed, person.successor(), person.new_key
    for again in ("", " again"):
        yield "cancel" + again, person.by_session(op.CANCEL, order["cancel"], {"key": order["key"]})
    yield "cancel with another key", person.by_session(op.CANCEL, order["cancel"], {"key": KEY})
    yield "confirm", after.by_certificate(op.CONFIRM, order["confirm"], {})
    yield "confirm by the predecessor", person.by_certificate(op.CONFIRM, order["confirm"], {})
    yield "certificate", person.by_session(op.READ, order["certificate"])
    yield "certificate by itself", after.by_certificate(op.READ, order["certificate"])
    yield "logon", after.log_on()
    yield "the same order", person.order(key=key)
    yield "another order", person.order()
    order, after = person.placed, person.successor()
    revoke = wire.directory["revokeCert"]
    yield "revoke another", person.by_certificate(op.REVOKE_CERT, revoke, {"certID": after.cert_id, "reason": "keyLost"})
    itself = {"certID": person.cert_id, "reason": "keyLost", "includeSuccessors": True}
    yield "revoke with successors", person.by_certificate(op.REVOKE_CERT, revoke, itself)
    yield "revoke by a user's session", person.by_session(op.REVOKE_CERT, revoke, {"certID": person.cert_id, "reason": "keyLost"})
    yield "revoke for an odd reason", person.by_certificate(op.REVOKE_CERT, revoke, {"certID": person.cert_id, "reason": "x"})
    yield "revoke the successor", after.by_certificate(op.REVOKE_CERT, revoke, {"certID": after.cert_id, "reason": "keyLost"})
    yield "order", person.by_session(op.READ, order["self"])
    yield "confirm invalid", after.by_certificate(op.CONFIRM, order["confirm"], {})
    yield "logon with the revoked", after.log_on()
    yield "cancel invalid", person.by_session(op.CANCEL, order["self"] + "/cancel", {"key": order["key"]})
    yield "certificate invalid", person.by_session(op.READ, order["certificate"])
    person.order()
    yield "revoke the predecessor", person.by_certificate(op.REVOKE_CERT, revoke, {"certID": person.cert_id, "reason": "deviceLost"})
    yield "its order", person.by_key(op.READ, person.placed["self"])


def completed(wire):
    """An order that was confirmed, and its certificates."""
    person = Person(wire)
    person.log_on(), person.order()
    order, after = person.placed, person.successor()
    for again in ("", " again"):
        yield "confirm" + again, after.by_certificate(op.CONFIRM, order["confirm"], {})
    yield "the former session", person.by_session(op.READ, person.kid)
    yield "logon with the superseded", person.log_on()
    yield "confirm by the superseded", person.by_certificate(op.CONFIRM, order["confirm"], {})
    yield "certificate by the superseded", person.by_certificate(op.READ, order["certificate"])
    yield "renewalInfo of the superseded", wire.send("GET", wire.directory["renewalInfo"] + "/" + person.cert_id)
    yield "logon with the successor", after.log_on()
    yield "cancel", after.by_session(op.CANCEL, order["cancel"], {"key": order["key"]})
    yield "contract", after.by_session(op.READ, after.session["contract"])
    revoke = wire.directory["revokeCert"]
    for again in ("", " again"):
        yield "revoke the superseded" + again, person.by_certificate(op.REVOKE_CERT, revoke, {"certID": person.cert_id, "reason": "unspecified"})
    yield "revoke the current", after.by_certificate(op.REVOKE_CERT, revoke, {"certID": after.cert_id, "reason": "keyCompromise"})
    yield "confirm revoked", after.by_certificate(op.CONFIRM, order["confirm"], {})
    yield "the session of the revoked", after.by_session(op.READ, after.kid)
    yield "order by key", person.by_key(op.READ, order["self"])
    expired = Person(wire, days=-1)
    yield "revoke the expired", expired.by_certificate(op.REVOKE_CERT, revoke, {"certID": expired.cert_id, "reason": "keyLost"})


def administrators(wire):
    """One contract with two administrators and a user."""
    first, second, user = (Person(wire, role=role, contract="alike") for role in ("administrator", "administrator", "user"))
    for one in (first, second, user):
        one.log_on()
    second.order(), user.order()
    yield "contract", first.by_session(op.READ, first.session["contract"])
    yield "order of the user", first.by_session(op.READ, user.placed["self"])
    yield "cancel of the user's", first.by_session(op.CANCEL, user.placed["cancel"], {"key": user.placed["key"]})
    yield "session of the user", first.by_session(op.READ, user.kid)
    yield "order of an administrator", first.by_session(op.READ, second.placed["self"])
    yield "order of the administrator by the user", user.by_session(op.READ, second.placed["self"])


@unittest.skipUnless(RustBank.program, "KOSHIN_SERVER does not name koshin-server")
class Alike(unittest.TestCase):
    """Each conversation is held with both banks, and each answer compared."""

    @classmethod
    def setUpClass(cls):
        cls.banks = [PythonBank(), RustBank()]

    @classmethod
    def tearDownClass(cls):
        for bank in cls.banks:
            bank.stop()

    def compare(self, conversation):
        ours, theirs = ([(what, answer.told()) for what, answer in conversation(Wire(bank))] for bank in self.banks)
        self.assertEqual([what for what, _ in ours], [what for what, _ in theirs])
        for (what, mine), (_, its) in zip(ours, theirs):
            with self.subTest(what):
                self.assertEqual(mine, its)


for conversation in (public, logons, sessions, placing, reading, canceled, completed, administrators):
    setattr(Alike, "test_" + conversation.__name__, lambda self, held=conversation: self.compare(held))

if __name__ == "__main__":
    unittest.main(verbosity=2)
