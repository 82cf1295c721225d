"""Issuing for orders in `processing`: at once where the CA answers, else by a thread that a restart takes up again (DUR-02)."""

import json
import secrets
import threading
import time

from cryptography import x509

from wire import base64url, clock

from . import ca, certificates, machine, orders

BACKDATING = 60
PAUSE = 0.1


class Issuing:
    """Drives the CA. Its settings `ca` (up, down) and `caSeconds` are those of annex B.2."""

    def __init__(self, bank):
        self._bank = bank

    def resume(self):
        with self._bank.transaction() as db:
            rows = db.all("SELECT id FROM renewal WHERE status = 'processing'")
        for row in rows:
            self._later(row["id"], 0)

    def begin(self, name):
        """Issues for a new order, or leaves it to a thread where the CA is slow or down."""
        with self._bank.transaction() as db:
            down, seconds = db.setting("ca", "up") == "down", db.setting("caSeconds", 0)
        if down or seconds:
            self._later(name, seconds)
        else:
            self._issue(name)

    def _later(self, name, seconds):
        threading.Thread(target=self._wait, args=(name, seconds), daemon=True).start()

    def _wait(self, name, seconds):
        time.sleep(seconds)
        while True:
            with self._bank.transaction() as db:
                down = db.setting("ca", "up") == "down"
                status = orders.find(db, name)["status"]
            if not down or status != "processing":
                break
            time.sleep(PAUSE)
        self._issue(name)

    def _issue(self, name):
        """Two transactions: the serial number is spent before it is signed, the certificate is stored with its order's change."""
        now = clock.now()
        with self._bank.transaction() as db:
            order = orders.find(db, name)
            before = certificates.find(db, order["replaces"])
            if order["status"] != "processing":
                return
            not_after = self._bank.policy.successor_not_after(before["not_after"], self._bank.authority.not_after)
            if not_after <= before["not_after"]:
                after, _ = machine.order(order["status"], "issueFailed")
                orders.change(db, order, after, now, "ca", error="issueFailed")
                return
            serial = _serial(db)
        octets = self._sign(order, before, serial, now - BACKDATING, not_after)
        with self._bank.transaction() as db:
            self._store(db, name, octets)

    def _sign(self, order, before, serial, not_before, not_after):
        subject = certificates.load(before["der"]).subject
        public = x509.load_der_x509_csr(order["csr"]).public_key()
        crl = self._bank.policy.url("crl", "1")
        return self._bank.authority.issue(subject, ca.spki(public), serial, not_before, not_after, crl)

    def _store(self, db, name, octets):
        """The event `issued`: what cannot be had any more is stored as revoked (CAN-06), a second certificate is dropped."""
        order, now = orders.find(db, name), clock.now()
        after, does = machine.order(order["status"], "issued")
        if "discardCertificate" in does:
            return
        late = "revokeLateCertificate" in does
        found = certificates.insert(
            db, order["subject"], octets, "revoked" if late else "unconfirmed", ours=1,
            predecessor=order["replaces"], key_store=order["key_store"], key=order["key"],
        )
        if late:
            db.run(
                "UPDATE certificate SET revoked_at = ?, reason = 'cessationOfOperation' WHERE cert_id = ?", now, found
            )
            db.record(order["subject"], "ca", did="revoked late", certificate=found)
            return
        chain = [base64url.encode_der(octets)] + self._bank.authority.chain
        db.run("UPDATE renewal SET cert_id = ?, chain = ? WHERE id = ?", found, json.dumps(chain), name)
        orders.change(db, order, after, now, "ca")


def _serial(db):
    serial = secrets.randbits(126) | 1 << 126
    db.insert("serial", number="%x" % serial)
    return serial
