"""Requests with anything in them, signed by somebody whom the bank knows."""

import base64
import http.client
import json
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from wire import base64url, cert_id, clock, csr, json_text, jwk, operation, signature, url

DAY = 86400
ENVIRONMENT = {"os": "linux", "osVersion": "6.1", "software": "raw", "softwareVersion": "1"}


def in_days(days):
    return clock.write_time(clock.now() + int(days * DAY))


class Response:
    """Status, headers and body; `json()` where there is any."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def told(self):
        """What two banks have to agree on: (status, token, action, reason) of a refusal, (status, members, order's status) else."""
        document = self.json()
        if not isinstance(document, dict):
            return self.status, self.headers.get("Content-Type"), bool(self.body)
        if "type" in document:
            named = sorted(set(document) - {"type", "title", "detail", "status", "serverTime", "remedy", "instance"})
            return self.status, document["type"], document["remedy"]["action"], document.get("reason"), named
        members = sorted(set(document) - {"rollback", "rollbackUntil"})
        return self.status, members, document.get("status"), document.get("error", {}).get("type")


class Wire:
    """Connections to one bank, and the newest nonce."""

    def __init__(self, bank):
        self.bank, self._nonce = bank, None
        self._context = ssl.create_default_context(cafile=bank.trust)
        _, self._host, self._port, _ = url.parts(bank.directory)
        self.base = url.base(bank.directory)
        self.directory = self.send("GET", bank.directory).json()

    def send(self, method, target, body=None, headers=None):
        connection = http.client.HTTPSConnection(self._host, self._port, context=self._context, timeout=30)
        try:
            path = target[target.index("/", 8):] if target.startswith("https://") else target
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            self._nonce = answer.headers.get("Replay-Nonce") or self._nonce
            return Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def fresh(self):
        if self._nonce is None:
            self.send("HEAD", self.directory["newNonce"])
        nonce, self._nonce = self._nonce, None
        return nonce

    def signed(self, typ, target, payload, key, signer, alg=None, header=None, change=None, headers=None):
        """`signer`: (member, value). `header` changes the protected header, `change` the whole body after signing."""
        fits = signature.algorithm_of(key)
        made = {"alg": alg or fits, "typ": typ, "nonce": self.fresh(), "url": target, signer[0]: signer[1], **(header or {})}
        octets = b"" if payload is None else json_text.write(payload)
        protected, encoded = base64url.encode(json_text.write(made)), base64url.encode(octets)
        signed = signature.sign(key, fits, (protected + "." + encoded).encode("ascii"))
        body = {"protected": protected, "payload": encoded, "signature": base64url.encode(signed)}
        content = (change or json_text.write)(body)
        return self.send("POST", target, content, {"Content-Type": "application/jose+json", **(headers or {})})


class Person:
    """A subject with a certificate, or its successor after `succeed`."""

    def __init__(self, wire, days=10, begun=-300, role="user", **more):
        made = wire.bank.provision(role=role, notBefore=in_days(begun), notAfter=in_days(days), **more)
        self.wire, self.key = wire, load_pem_private_key(made["key"].encode("ascii"), None)
        self._hold(x509.load_pem_x509_certificate(made["certificate"].encode("ascii")))

    def _hold(self, certificate):
        self.certificate, self.cert_id = certificate, cert_id.of(certificate)
        self.x5c = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")

    def log_on(self, payload=None, **more):
        wanted = {"environment": ENVIRONMENT, "purpose": "renewal", **(payload or {})}
        answer = self.by_certificate(operation.NEW_SESSION, self.wire.directory["newSession"], wanted, **more)
        if answer.status == 201:
            self.session, self.kid = answer.json(), answer.headers["Location"]
        return answer

    def by_session(self, typ, target, payload=None, **more):
        return self.wire.signed(typ, target, payload, self.key, ("kid", self.kid), **more)

    def by_certificate(self, typ, target, payload=None, **more):
        return self.wire.signed(typ, target, payload, self.key, ("x5c", [self.x5c]), **more)

    def by_key(self, typ, target, payload=None, key=None, **more):
        key = key or self.new_key
        return self.wire.signed(typ, target, payload, key, ("jwk", jwk.of(key.public_key()).members), **more)

    def order(self, key=None, **changed):
        self.new_key = key or ec.generate_private_key(ec.SECP256R1())
        made = base64url.encode(csr.write(self.new_key, self.certificate.subject.public_bytes()))
        wanted = {"replaces": self.cert_id, "keyStore": "file", "csr": made, **changed}
        answer = self.by_session(operation.NEW_ORDER, self.wire.directory["newOrder"], wanted)
        if answer.status in (200, 201):
            self.placed = answer.json()
        return answer

    def successor(self):
        """The same subject with the new pair."""
        after = object.__new__(Person)
        after.__dict__.update(self.__dict__)
        after.key = self.new_key
        after._hold(x509.load_der_x509_certificate(base64.b64decode(self.placed["chain"][0])))
        return after
