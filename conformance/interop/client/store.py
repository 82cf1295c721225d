"""The client's folder (SPEC.md 12.2, 12.3): generations that are never written over, each with its key, journal and certificate."""

import fcntl
import json
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, load_pem_private_key,
)

from wire import base64url, cert_id, clock, jwk

from .outcome import FAULT, LATER, USAGE, Ended

IDENTITY = "identity.pem"
RESULT = "result.json"
END = b"-----END CERTIFICATE-----"


class Pair:
    """A private key and its certificate, with the chain that came with it."""

    def __init__(self, private, chain):
        self.private, self.chain = private, chain
        self.certificate = chain[0]
        self.cert_id = cert_id.of(self.certificate)
        self.not_after = clock.of_datetime(self.certificate.not_valid_after)
        self.not_before = clock.of_datetime(self.certificate.not_valid_before)

    def der(self):
        return base64url.encode_der(self.certificate.public_bytes(Encoding.DER))


class Generation:
    """One folder below `generations`: `key.pem`, `request.json`, `order.json`, `certificate.pem`, `intent.json`, `end.json`."""

    def __init__(self, folder):
        self.folder, self.number = folder, int(folder.name)
        self._private = None

    def private(self):
        """The private key, None where it is gone."""
        if self._private is None:
            try:
                self._private = load_pem_private_key((self.folder / "key.pem").read_bytes(), None)
            except (OSError, ValueError):
                return None
        return self._private

    def key(self):
        return jwk.of(self.private().public_key())

    def pair(self):
        """The pair, None where certificate or key is missing."""
        try:
            chain = read_chain((self.folder / "certificate.pem").read_bytes())
        except (OSError, ValueError):
            return None
        private = self.private()
        return Pair(private, chain) if private and chain else None

    def read(self, name):
        """A journal entry, None where there is none."""
        try:
            return json.loads((self.folder / (name + ".json")).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, name, value):
        write_durably(self.folder / (name + ".json"), json.dumps(value, indent=1).encode("utf-8"))

    def write_chain(self, chain):
        write_durably(self.folder / "certificate.pem", b"".join(one.public_bytes(Encoding.PEM) for one in chain))

    def drop(self, name):
        try:
            (self.folder / (name + ".json")).unlink()
        except FileNotFoundError:
            return
        flush_folder(self.folder)

    def is_open(self):
        """Ordered or about to be, and not known to have ended."""
        return self.read("request") is not None and self.read("end") is None and self.private() is not None


class Store:
    """The whole folder, locked for one process (CLI-12)."""

    def __init__(self, folder):
        self.folder = Path(folder)
        try:
            (self.folder / "generations").mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Ended(LATER, "another process renews with this store") from error
        except OSError as error:
            raise Ended(FAULT, "the store cannot be written: %s" % error) from error
        self._import_identity()

    def generations(self):
        """Newest first."""
        folders = [one for one in (self.folder / "generations").iterdir() if one.name.isdigit()]
        return sorted((Generation(one) for one in folders), key=lambda one: -one.number)

    def generation(self, number):
        return Generation(self.folder / "generations" / str(number))

    def new_generation(self, private):
        """Stores a new key durably under a number that was never used (CLI-10, CLI-11)."""
        numbers = [one.number for one in self.generations()]
        made = self.folder / "generations" / str(max(numbers, default=0) + 1)
        try:
            made.mkdir(mode=0o700)
            flush_folder(made.parent)
            pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_durably(made / "key.pem", pem)
        except OSError as error:
            raise Ended(FAULT, "the new key cannot be stored: %s" % error) from error
        return Generation(made)

    def current(self):
        """The generation whose pair is used, None before an enrollment."""
        try:
            result = json.loads((self.folder / RESULT).read_text(encoding="utf-8"))
            return self.generation(int(result["key"].split("/")[1]))
        except (OSError, ValueError, KeyError, IndexError):
            return None

    def switch(self, generation):
        """To another pair, atomically and durably: `result.json` is the one place that says which is used (CLI-64)."""
        place = "generations/%d/" % generation.number
        result = {"certificate": place + "certificate.pem", "key": place + "key.pem"}
        write_durably(self.folder / RESULT, json.dumps(result, indent=1).encode("utf-8"))

    def bind(self, directory):
        """KEY-06: the keys of a store are for one bank only."""
        path = self.folder / "directory"
        if not path.exists():
            write_durably(path, directory.encode("utf-8"))
        elif path.read_text(encoding="utf-8") != directory:
            raise Ended(USAGE, "this store belongs to another bank: " + path.read_text(encoding="utf-8"))

    def _import_identity(self):
        """The pair from before the first start becomes generation 1."""
        path = self.folder / IDENTITY
        if self.current() or not path.exists():
            return
        content = path.read_bytes()
        try:
            private, chain = load_pem_private_key(content, None), read_chain(content)
        except ValueError as error:
            raise Ended(USAGE, "identity.pem has no certificate and key: %s" % error) from error
        made = next((one for one in self.generations() if _same_key(one, private)), None) or self.new_generation(private)
        made.write_chain(chain)
        self.switch(made)


def _same_key(generation, private):
    found = generation.private()
    return found is not None and jwk.of(found.public_key()).thumbprint == jwk.of(private.public_key()).thumbprint


def read_chain(pem):
    """The certificates of a PEM text, in their order."""
    parts = pem.split(END)[:-1]
    return [x509.load_pem_x509_certificate(part[part.index(b"-----BEGIN CERTIFICATE"):] + END + b"\n") for part in parts]


def write_durably(path, content):
    """A new file under a temporary name, flushed, renamed, and its folder flushed; on a failure it is written anew (CLI-14)."""
    for attempt in range(2):
        temporary = path.with_name("%s.%d.%d.new" % (path.name, os.getpid(), attempt))
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            flush_folder(path.parent)
            return
        except OSError:
            try:
                temporary.unlink()
            except OSError:
                pass
            if attempt:
                raise


def flush_folder(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
