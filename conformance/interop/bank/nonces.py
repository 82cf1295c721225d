"""Nonces (SPEC.md 5.6): self-contained, so that only those spent in the last five minutes take memory."""

import hashlib
import hmac
import secrets
import threading
import time

from wire import base64url

SECONDS = 300
MOST_SPENT = 200_000


class Nonces:
    """A nonce is a time, random octets and a MAC over both with a key that lives as long as the process."""

    def __init__(self, clock=time.monotonic):
        self._clock, self._lock = clock, threading.Lock()
        self._renew()

    def fresh(self):
        octets = int(self._clock()).to_bytes(6, "big") + secrets.token_bytes(12)
        return base64url.encode(octets + self._mac(octets))

    def spend(self, text):
        """True once for each nonce of the last five minutes."""
        octets = base64url.decode(text)
        if len(octets) != 36 or not hmac.compare_digest(self._mac(octets[:18]), octets[18:]):
            return False
        now, made = int(self._clock()), int.from_bytes(octets[:6], "big")
        with self._lock:
            if now - made > SECONDS or octets in self._spent:
                return False
            if len(self._spent) >= MOST_SPENT:
                self._drop(now)
            self._spent[octets] = made
            return True

    def _mac(self, octets):
        return hmac.new(self._key, octets, hashlib.sha256).digest()[:18]

    def _drop(self, now):
        """Forgets what is too old; where that is not enough, every nonce issued so far becomes void."""
        self._spent = {one: made for one, made in self._spent.items() if now - made <= SECONDS}
        if len(self._spent) >= MOST_SPENT:
            self._renew()

    def _renew(self):
        self._key, self._spent = secrets.token_bytes(32), {}
