"""The command `koshin`, named by KOSHIN, at the Python bank: it has never seen this bank before."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.banks import PythonBank  # noqa: E402
from tests.raw import in_days  # noqa: E402

PROGRAM = os.environ.get("KOSHIN")
SECONDS = 120


@unittest.skipUnless(PROGRAM, "KOSHIN does not name koshin")
class AtPythonBank(unittest.TestCase):
    """Each test has a home and a certificate of its own."""

    @classmethod
    def setUpClass(cls):
        cls.bank = PythonBank()

    @classmethod
    def tearDownClass(cls):
        cls.bank.stop()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="koshin-interop-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def customer(self, **more):
        made = self.bank.provision(role="user", notBefore=in_days(-300), notAfter=in_days(10), **more)
        file = self.folder / "identity.pem"
        file.write_text(made["certificate"] + made["key"])
        file.chmod(0o600)
        trust = ("--trust", self.bank.trust, "--tls-trust", self.bank.trust)
        self.expect(0, "import", str(file), "--directory", self.bank.directory, *trust)

    def command(self, arguments):
        variables = {"PATH": os.environ.get("PATH", ""), "KOSHIN_HOME": str(self.folder / "home"), "HOME": str(self.folder)}
        return {"args": [PROGRAM, *arguments, "--json"], "env": variables, "stdin": subprocess.DEVNULL, "text": True}

    def expect(self, code, *arguments):
        """The events that it printed."""
        ran = subprocess.run(**self.command(arguments), capture_output=True, timeout=SECONDS)
        self.assertEqual(ran.returncode, code, ran.stdout + ran.stderr)
        return [json.loads(line) for line in ran.stdout.splitlines()]

    def killed_once_ordered(self):
        """Runs `renew` until the order was answered, and kills it."""
        process = subprocess.Popen(**self.command(("renew", "--yes")), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            for line in process.stdout:
                if json.loads(line)["event"] == "ordered":
                    return
            self.fail("it did not order")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def test_it_defers_and_renews_with_keys_of_every_kind(self):
        for alg in ("ES256", "ES384", "EdDSA", "PS256"):
            with self.subTest(alg):
                self.setUp()
                self.customer(alg=alg)
                self.expect(0, "defer")
                self.assertEqual(self.expect(0, "renew", "--yes")[-1]["generation"], 2)
                self.expect(10, "renew", "--yes")

    def test_it_renews_an_imported_certificate_without_aki(self):
        self.customer(issuer="foreign")
        self.expect(0, "renew", "--yes")

    def test_it_waits_for_a_slow_ca(self):
        self.customer()
        self.bank.control(do="caSlow", seconds=2)
        try:
            self.expect(0, "renew", "--yes")
        finally:
            self.bank.control(do="caUp")

    def test_it_resumes_an_order_that_outlived_both(self):
        self.customer()
        self.bank.control(do="caDown")
        try:
            self.killed_once_ordered()
            self.bank.control(do="kill")
            self.bank.control(do="start")
        finally:
            self.bank.control(do="caUp")
        self.assertEqual(self.expect(0, "resume", "--yes")[-1]["generation"], 2)

    def test_it_cancels_an_order_in_processing_and_renews_with_another_key(self):
        self.customer()
        self.bank.control(do="caDown")
        try:
            self.killed_once_ordered()
            self.expect(0, "cancel")
        finally:
            self.bank.control(do="caUp")
        self.assertEqual(self.expect(0, "renew", "--yes")[-1]["generation"], 3)

    def test_it_is_told_that_this_bank_takes_no_renewal_back(self):
        self.customer()
        self.expect(0, "renew", "--yes")
        self.expect(11, "rollback", "--yes")


if __name__ == "__main__":
    unittest.main(verbosity=2)
