"""Annex B.1: certificates in the states that a tester asks for, taken straight into the registry."""

import secrets

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from wire import cert_id, clock, jwk, name as names, objects

from . import ca, certificates, orders
from .issuing import _serial

TABLE = {
    "role": (objects.role, True), "contract": (objects.text, False), "issuer": (objects.text, False),
    "alg": (objects.text, False), "notBefore": (objects.time, True), "notAfter": (objects.time, True), "pin": (objects.text, False),
}


def provision(bank, wanted):
    """The answer to one request."""
    objects.TABLES.setdefault("provisionRequest", TABLE)
    objects.check("provisionRequest", wanted, closed=True)
    alg = wanted.get("alg", "ES256")
    if alg not in ("ES256", "ES384", "EdDSA", "RS256", "PS256"):
        return {"cannot": "this bank has no certificates for " + alg}
    if wanted.get("issuer", "bank") not in ("bank", "foreign"):
        return {"cannot": "this bank knows no such issuer"}
    begins, ends = clock.read_time(wanted["notBefore"]), clock.read_time(wanted["notAfter"])
    if ends > bank.authority.not_after:
        return {"cannot": "the issuing CA does not live that long"}
    key = ca.new_key(alg)
    subject = "%s-%s" % (wanted["role"][0], secrets.token_hex(5))
    with bank.transaction() as db:
        contract = _contract(db, wanted.get("contract"))
        name = _name(subject)
        octets = _certificate(bank, db, wanted, name, key, begins, ends)
        found = cert_id.load(octets)
        db.insert(
            "subject", id=subject, contract=contract, role=wanted["role"], name=names.read(found.subject.public_bytes())
        )
        thumbprint = jwk.of(key.public_key()).thumbprint
        made = certificates.insert(db, subject, octets, "current", ours=wanted.get("issuer") != "foreign", key=thumbprint)
        db.record(subject, "provisioning", did="imported", certificate=made)
    return {"subject": subject, "certificate": found.public_bytes(Encoding.PEM).decode("ascii"), "key": ca.key_pem(key).decode("ascii")}


def _contract(db, label):
    row = db.one("SELECT id FROM contract WHERE label = ?", label) if label is not None else None
    if row:
        return row["id"]
    made = "c-" + secrets.token_hex(4)
    db.insert("contract", id=made, label=label, name="株式会社 Interop " + made, place=orders.new_id())
    return made


def _name(subject):
    return x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Interop, Ltd."),
        x509.NameAttribute(NameOID.COMMON_NAME, "利用者 " + subject),
        x509.NameAttribute(NameOID.SERIAL_NUMBER, subject),
    ])


def _certificate(bank, db, wanted, name, key, begins, ends):
    public = key.public_key()
    if wanted.get("issuer") == "foreign":
        return bank.authority.import_foreign(name, public, begins, ends)
    return bank.authority.issue(name, ca.spki(public), _serial(db), begins, ends, bank.policy.url("crl", "1"))
