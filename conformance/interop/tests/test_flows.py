"""The client at the Python bank, and at koshin-server where KOSHIN_SERVER names it."""

import json
import multiprocessing
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from client import renewal, transport  # noqa: E402
from client.outcome import Ended  # noqa: E402
from client.run import Run  # noqa: E402
from client.store import Store  # noqa: E402
from tests.banks import PythonBank, RustBank, client  # noqa: E402
from wire import clock  # noqa: E402

DAY = 86400
MOST_REQUESTS = 8


def in_days(days):
    return clock.write_time(clock.now() + days * DAY)


class Settings:
    """What the adapter would read from its environment."""

    def __init__(self, bank, state):
        self.directory, self.trust, self.state, self.pin, self.ticket = bank.directory, bank.trust, str(state), None, None


class Flows:
    """What holds at every bank; subclasses name the bank."""

    bank_class = None

    @classmethod
    def setUpClass(cls):
        cls.bank = cls.bank_class()

    @classmethod
    def tearDownClass(cls):
        cls.bank.stop()

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="koshin-interop-")
        self.addCleanup(self._folder.cleanup)
        self.state = Path(self._folder.name)

    def customer(self, days=10, **more):
        made = self.bank.provision(role="user", notBefore=in_days(-300), notAfter=in_days(days), **more)
        (self.state / "identity.pem").write_text(made["certificate"] + made["key"])
        return made

    def expect(self, code, action, **more):
        found, told = client(self.bank, self.state, action, **more)
        self.assertEqual(found, code, told)

    def generation(self):
        return int(json.loads((self.state / "result.json").read_text())["key"].split("/")[1])

    def end(self, generation):
        return json.loads((self.state / "generations" / str(generation) / "end.json").read_text())

    def test_a_deferred_renewal_is_done_at_the_next_logon(self):
        self.customer()
        self.expect(0, "defer")
        self.assertEqual(self.generation(), 1)
        self.expect(0, "renew")
        self.assertEqual(self.generation(), 2)
        end = self.end(2)
        self.assertEqual(end["status"], "completed")
        self.assertIsNotNone(end["receipt"])

    def test_before_the_window_nothing_is_ordered(self):
        self.customer(days=100)
        self.expect(10, "renew")
        self.assertEqual(self.generation(), 1)

    def test_every_kind_of_key_renews(self):
        for alg in ("ES384", "EdDSA", "RS256"):
            with self.subTest(alg):
                self.setUp()
                self.customer(alg=alg)
                self.expect(0, "renew")
                self.assertEqual(self.generation(), 2)

    def test_an_imported_certificate_without_aki_renews(self):
        made = self.bank.provision(role="user", issuer="foreign", notBefore=in_days(-300), notAfter=in_days(10))
        if "cannot" in made:
            self.skipTest(made["cannot"])
        (self.state / "identity.pem").write_text(made["certificate"] + made["key"])
        self.expect(0, "renew")
        self.assertEqual(self.generation(), 2)

    def test_an_expired_certificate_asks_for_a_reissue(self):
        self.customer(days=-1)
        self.expect(12, "renew")

    def test_killed_at_each_request_the_renewal_resumes_to_one_certificate(self):
        for place in ("before", "after"):
            for number in range(1, MOST_REQUESTS):
                with self.subTest(place=place, number=number):
                    self.setUp()
                    self.customer()
                    if self.kill_at(number, place) != 9:
                        self.assertEqual(self.generation(), 2)
                        continue
                    self.expect(0, "renew")
                    self.assertEqual(self.generation(), 2)
                    self.assertEqual(self.end(2)["status"], "completed")
                    self.assertFalse((self.state / "generations" / "3").exists())

    def kill_at(self, number, place):
        """Runs `renew` in a process that ends like killed at a request: 9, or the exit code where it had fewer requests."""
        process = multiprocessing.get_context("fork").Process(target=_renew_until, args=(Settings(self.bank, self.state), number, place))
        process.start()
        process.join(120)
        return process.exitcode

    def test_a_journal_that_was_lost_is_made_anew_from_the_bank(self):
        self.customer()
        if self.kill_at(3, "after") == 9:
            for file in (self.state / "generations" / "2").glob("*.json"):
                file.unlink()
            self.expect(0, "renew")
            self.assertEqual(self.generation(), 2)


def _renew_until(settings, number, place):
    sent, count = transport.Transport.send, 0

    def send(self, *arguments, **named):
        nonlocal count
        count += 1
        if count == number and place == "before":
            os._exit(9)
        answer = sent(self, *arguments, **named)
        if count == number:
            os._exit(9)
        return answer

    transport.Transport.send = send
    try:
        run = Run(Store(settings.state), settings)
        run.rounds(lambda: renewal.renew(run))
    except Ended as ended:
        os._exit(ended.code)
    os._exit(0)


class AtPythonBank(Flows, unittest.TestCase):
    """What needs the bank's control, besides."""

    bank_class = PythonBank

    def test_an_order_whose_ca_is_down_outlives_bank_and_client(self):
        self.customer()
        self.bank.control(do="caDown")
        try:
            process = multiprocessing.get_context("fork").Process(
                target=_renew_until, args=(Settings(self.bank, self.state), 5, "after"))
            process.start()
            process.join(120)
            self.assertEqual(process.exitcode, 9)
            self.bank.control(do="kill")
            self.bank.control(do="start")
        finally:
            self.bank.control(do="caUp")
        self.expect(0, "resume")
        self.assertEqual(self.generation(), 2)

    def test_an_order_in_processing_is_canceled_and_another_placed(self):
        self.customer()
        self.bank.control(do="caDown")
        try:
            self.kill_at(5, "after")
            self.expect(0, "cancel")
        finally:
            self.bank.control(do="caUp")
        self.assertEqual((self.generation(), self.end(2)["status"]), (1, "canceled"))
        self.assertIsNotNone(self.end(2)["receipt"])
        self.expect(0, "renew")
        self.assertEqual(self.generation(), 3)

    def test_an_order_in_valid_is_canceled(self):
        self.customer()
        self.assertEqual(self.kill_at(4, "before"), 9)
        self.expect(0, "cancel")
        self.assertEqual((self.generation(), self.end(2)["status"]), (1, "canceled"))

    def test_a_slow_ca_is_waited_for(self):
        self.customer()
        self.bank.control(do="caSlow", seconds=2)
        try:
            self.expect(0, "renew")
        finally:
            self.bank.control(do="caUp")
        self.assertEqual(self.generation(), 2)

    def test_the_bank_takes_no_renewal_back(self):
        self.customer()
        self.expect(0, "renew")
        self.expect(11, "rollback")
        self.assertEqual(self.generation(), 2)


@unittest.skipUnless(RustBank.program, "KOSHIN_SERVER does not name koshin-server")
class AtRustBank(Flows, unittest.TestCase):
    """What only a bank of profile full has, besides."""

    bank_class = RustBank

    def test_a_completed_renewal_is_rolled_back_and_done_again(self):
        self.customer(pin="481516")
        self.expect(0, "renew", KOSHIN_PIN="481516")
        self.expect(0, "resume", KOSHIN_PIN="481516")
        self.expect(0, "rollback", KOSHIN_PIN="481516")
        self.assertEqual((self.generation(), self.end(2)["status"]), (1, "rolledBack"))
        self.expect(0, "renew", KOSHIN_PIN="481516")
        self.assertEqual(self.generation(), 3)

    def test_a_wrong_pin_is_told(self):
        self.customer(pin="481516")
        self.expect(11, "renew", KOSHIN_PIN="000000")
        self.expect(11, "renew")


if __name__ == "__main__":
    unittest.main(verbosity=2)
