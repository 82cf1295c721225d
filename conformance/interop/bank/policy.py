"""What this bank chose (SPEC.md annex D), and its URLs."""

import json
from datetime import datetime, timezone
from pathlib import Path

from wire import clock, url

ALGORITHMS = ["ES256", "ES384", "EdDSA", "RS256", "PS256"]
KEY_TYPES = ["P-256", "P-384", "Ed25519"]
KEY_STORES = ["file", "pkcs12"]
RETRY_AFTER = 1


class Policy:
    """The bank's configuration file, `bank.json`."""

    def __init__(self, folder):
        self.folder = Path(folder)
        found = json.loads((self.folder / "bank.json").read_text(encoding="utf-8"))
        self.host, self.port = found["host"], found["port"]
        self.directory = "https://%s:%d/koshin/directory" % (self.host, self.port)
        self.base = url.base(url.check(self.directory))
        self.authority = url.authority(self.directory)
        self.zone, self.days = found["timeZone"], found["window"]
        self.idle, self.absolute = found["idle"], found["absolute"]
        self.environments = found["environments"]

    @staticmethod
    def write(folder, host, port, **changed):
        chosen = {
            "host": host, "port": port, "timeZone": "Asia/Tokyo", "window": 30, "idle": 600, "absolute": 3600,
            "environments": [], **changed,
        }
        (Path(folder) / "bank.json").write_text(json.dumps(chosen, indent=2) + "\n", encoding="utf-8")

    def url(self, *segments):
        return self.base + "/".join(segments)

    def window(self, not_after):
        return clock.window(not_after, self.days, self.zone)

    def successor_not_after(self, predecessor_not_after, issuer_not_after):
        """CRT-08: a calendar year later; from a 29th of February to the 28th."""
        before = datetime.fromtimestamp(predecessor_not_after, timezone.utc)
        day = 28 if (before.month, before.day) == (2, 29) else before.day
        after = int(before.replace(year=before.year + 1, day=day).timestamp())
        return min(after, issuer_not_after)

    def document(self, chain):
        """The directory."""
        names = {
            "newNonce": "new-nonce", "newSession": "new-session", "newOrder": "new-order", "findOrder": "find-order",
            "renewalInfo": "renewal-info", "revokeCert": "revoke-cert",
        }
        return {
            **{name: self.url(place) for name, place in names.items()},
            "crl": [self.url("crl", "1")],
            "meta": {
                "version": "1", "profile": "core", "algorithms": ALGORITHMS, "keyTypes": KEY_TYPES,
                "environments": self.environments, "keyStores": KEY_STORES, "timeZone": self.zone,
                "window": "P%dD" % self.days, "confirmWithin": "PT24H", "issuers": [chain], "extensions": [],
            },
        }
