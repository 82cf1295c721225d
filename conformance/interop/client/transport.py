"""HTTPS requests, one connection each, and what counts as an answer (SPEC.md 5.1, 12.4)."""

import http.client
import socket
import ssl

from wire import clock, json_text, url

from .outcome import NoAnswer, say

SECONDS = 30
MOST_LONG = 8388608
MUCH = 300


class Answer:
    """A response that was read whole."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return self.headers.get(name)

    def media_type(self):
        return (self.header("Content-Type") or "").split(";")[0].strip().lower()

    def retry_after(self):
        """Seconds, in either form; a date counts from the response's own Date (RTA-02, RTA-05, RTA-06)."""
        value = (self.header("Retry-After") or "").strip()
        if value.isascii() and value.isdigit():
            return max(1, int(value))
        try:
            return max(1, clock.read_http_date(value) - clock.read_http_date(self.header("Date")))
        except (TypeError, ValueError, IndexError):
            return None


class Transport:
    """Sends requests below the base of one directory; knows the difference of the two clocks."""

    def __init__(self, directory, trust):
        self.directory = url.check(directory)
        self.context = ssl.create_default_context(cafile=trust)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.difference, self._warned = 0, False

    def now(self):
        """The bank's clock (TIM-02)."""
        return clock.now() + self.difference

    def send(self, method, target, body=None, headers=None, most=json_text.MOST_OCTETS):
        """The answer, or NoAnswer. No redirect is followed (URL-03)."""
        if target != self.directory and not url.below(target, self.directory):
            raise NoAnswer("a URL outside the base of the directory")
        scheme, host, port, path = url.parts(target)
        if scheme == "https":
            connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=self.context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
        try:
            connection.request(method, path, body, {"Accept-Language": "ja, en;q=0.5", "Connection": "close", **(headers or {})})
            response = connection.getresponse()
            content = response.read(most + 1)
            declared = response.getheader("Content-Length")
            if len(content) > most:
                raise NoAnswer("a response that is too long")
            if declared is not None and method != "HEAD" and response.status not in (204, 304) and int(declared) != len(content):
                raise NoAnswer("a response that was cut short")
            self._compare_clocks(response.getheader("Date"))
            return Answer(response.status, response.headers, content)
        except (OSError, http.client.HTTPException, ssl.SSLError, socket.timeout, ValueError) as error:
            raise NoAnswer("no answer: %r" % error) from error
        finally:
            connection.close()

    def _compare_clocks(self, date):
        if date:
            try:
                self.difference = clock.read_http_date(date) - clock.now()
            except (TypeError, ValueError):
                return
            if abs(self.difference) > MUCH and not self._warned:  # TIM-03
                say("the clock of this machine differs from the bank's by %d seconds" % self.difference)
                self._warned = True
