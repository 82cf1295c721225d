"""The bank as a whole: its policy, keys and database, and what an HTTP request of it comes to."""

import logging
import secrets
from contextlib import contextmanager
from pathlib import Path

from wire import clock, json_text, language
from wire.problem import URN, Refused, remedy

from . import policy as chosen, receipts, requests, texts
from .ca import Authority
from .http import Response
from .issuing import Issuing
from .nonces import Nonces
from .policy import Policy
from .store import Store

LOG = logging.getLogger("bank")


class Bank:
    """Everything in the bank's folder, and the nonces of this process."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.policy = Policy(folder)
        self.authority = Authority(self.folder)
        self.store = Store(self.folder / "bank.sqlite")
        self.nonces = Nonces()
        self.issuing = Issuing(self)

    @contextmanager
    def transaction(self):
        """A transaction that knows its bank, for what is signed or named in it."""
        with self.store.transaction() as db:
            db.bank = self
            yield db

    def receipt(self, row, status, now):
        return self.authority.receipt(receipts.payload(self.policy.url("order", row["id"]), row, status, now))

    def answer(self, request):
        """The response to a request, whatever it is: every fault becomes a problem document here."""
        spoken = language.preferred(request.header("accept-language"))
        try:
            response = requests.answer(self, request, spoken)
        except Refused as refused:
            response = self._problem(refused, spoken)
        except Exception:
            LOG.exception("a fault of the bank")
            response = self._problem(Refused("serverInternal", "state"), spoken)
        if request.method == "POST":
            response.headers["Link"] = '<%s>;rel="index"' % self.policy.directory
        return response

    def fresh_nonce(self, response):
        response.headers["Replay-Nonce"] = self.nonces.fresh()
        response.headers["Cache-Control"] = "no-store"
        return response

    def _problem(self, refused, spoken):
        found = remedy(refused.token, refused.role, refused.action, refused.not_before)
        title, detail = texts.words(refused.token, found["action"], spoken, refused.about)
        document = {
            "type": URN + refused.token, "title": title, "detail": detail, "status": refused.status,
            "serverTime": clock.write_time(clock.now()), "remedy": found, "instance": secrets.token_hex(8),
            **refused.members,
        }
        if refused.token == "badSignatureAlgorithm":
            document["algorithms"] = chosen.ALGORITHMS
        if refused.token == "badPublicKey":
            document["keyTypes"] = chosen.KEY_TYPES
        headers = {"Content-Type": "application/problem+json", "Content-Language": spoken}
        if refused.retry_after is not None:
            headers["Retry-After"] = str(refused.retry_after)
        if refused.status == 401:
            headers["WWW-Authenticate"] = "Koshin"
        if refused.token == "methodNotAllowed":
            headers["Allow"] = refused.allow
        response = Response(refused.status, headers, json_text.write(document))
        if getattr(refused, "public", False):
            return response
        return self.fresh_nonce(response)
