"""HTTP/1.1 over TLS, one thread for a connection, with the limits of SPEC.md 5.8."""

import socket
import ssl
import threading
import time

from wire import clock

MOST_HEADER = 32768
MOST_BODY = 65536
SECONDS = 30
MOST_CONNECTIONS = 512
REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 410: "Gone", 413: "Content Too Large",
    415: "Unsupported Media Type", 421: "Misdirected Request", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 503: "Service Unavailable",
}


class Request:
    """A request whose HTTP form was read. `body` is None where it is longer than a bank reads."""

    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body

    def header(self, name):
        """The first header of this name, None without one."""
        return next((value for key, value in self.headers if key == name), None)


class Response:
    """A status, headers by name, and a body."""

    def __init__(self, status, headers=None, body=b""):
        self.status, self.headers, self.body = status, headers or {}, body


class Broken(Exception):
    """A request that has no HTTP form: answered with the status, None to say nothing, and the connection is closed."""

    def __init__(self, status=None):
        super().__init__(status)
        self.status = status


class Connection:
    """One connection, read with a deadline for each request."""

    def __init__(self, sock):
        self._socket, self._buffer = sock, b""

    def read_request(self):
        """The next request, None where the client closed."""
        deadline = time.monotonic() + SECONDS
        head = self._until(b"\r\n\r\n", deadline)
        if head is None:
            return None
        lines = head.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
            raise Broken(400)
        headers = [self._header(line) for line in lines[1:]]
        request = Request(parts[0], parts[1], headers, b"")
        request.body = self._body(request, deadline)
        return request

    def write(self, request, response):
        """Sends the response; gives whether the connection stays."""
        stays = request is not None and (request.header("connection") or "").lower() != "close" and request.body is not None
        head = ["HTTP/1.1 %d %s" % (response.status, REASONS.get(response.status, "Status"))]
        headers = {"Date": clock.write_http_date(clock.now()), **response.headers}
        if response.status not in (204, 304):
            headers["Content-Length"] = str(len(response.body))
        if not stays:
            headers["Connection"] = "close"
        head += ["%s: %s" % pair for pair in headers.items()]
        sent = b"" if request is not None and request.method == "HEAD" or response.status in (204, 304) else response.body
        self._socket.settimeout(SECONDS)
        self._socket.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + sent)
        return stays

    def discard(self):
        """Reads away some of what is on its way, so that the answer is not lost to a reset."""
        self._socket.settimeout(1)
        try:
            for _ in range(64):
                if not self._socket.recv(65536):
                    return
        except OSError:
            return

    def _header(self, line):
        name, colon, value = line.partition(":")
        if not colon or not name or name.strip() != name or "\0" in value or "\n" in value or "\r" in value:
            raise Broken(400)
        return name.lower(), value.strip()

    def _body(self, request, deadline):
        lengths = [value for name, value in request.headers if name == "content-length"]
        coded = [value for name, value in request.headers if name == "transfer-encoding"]
        hosts = [value for name, value in request.headers if name == "host"]
        if len(hosts) != 1 or lengths and coded or len(lengths) > 1 or len(coded) > 1:
            raise Broken(400)
        if (request.header("expect") or "").lower() == "100-continue":
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if coded:
            if coded[0].lower() != "chunked":
                raise Broken(400)
            return self._chunks(deadline)
        if not lengths:
            return b""
        if not (lengths[0].isascii() and lengths[0].isdigit()):
            raise Broken(400)
        if int(lengths[0]) > MOST_BODY:
            return None
        return self._exactly(int(lengths[0]), deadline)

    def _chunks(self, deadline):
        body = b""
        while True:
            size = self._line(deadline).split(";")[0].strip()
            if not size or any(digit not in "0123456789abcdefABCDEF" for digit in size) or len(size) > 8:
                raise Broken(400)
            if not int(size, 16):
                while self._line(deadline):
                    pass
                return body
            if len(body) + int(size, 16) > MOST_BODY:
                return None
            body += self._exactly(int(size, 16), deadline)
            if self._exactly(2, deadline) != b"\r\n":
                raise Broken(400)

    def _line(self, deadline):
        found = self._until(b"\r\n", deadline)
        if found is None:
            raise Broken()
        return found.decode("latin-1")

    def _until(self, end, deadline):
        searched = 0
        while end not in self._buffer[searched:]:
            searched = max(0, len(self._buffer) - len(end))
            if len(self._buffer) > MOST_HEADER:
                raise Broken(431)
            if not self._more(deadline):
                if self._buffer:
                    raise Broken()
                return None
        found, _, self._buffer = self._buffer.partition(end)
        if len(found) > MOST_HEADER:
            raise Broken(431)
        return found

    def _exactly(self, count, deadline):
        while len(self._buffer) < count:
            if not self._more(deadline):
                raise Broken()
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def _more(self, deadline):
        self._socket.settimeout(max(0.01, deadline - time.monotonic()))
        received = self._socket.recv(65536)
        self._buffer += received
        return bool(received)


class Server:
    """Listens, and gives each request to `answer`."""

    def __init__(self, host, port, certificate, key, answer):
        self._answer = answer
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.load_cert_chain(certificate, key)
        self._context.set_alpn_protocols(["http/1.1"])
        self._places = threading.Semaphore(MOST_CONNECTIONS)
        self._socket = socket.create_server((host, port), backlog=128)
        self.port = self._socket.getsockname()[1]

    def serve(self):
        while True:
            self._places.acquire()
            try:
                sock, _ = self._socket.accept()
            except OSError:
                self._places.release()
                continue
            threading.Thread(target=self._connection, args=(sock,), daemon=True).start()

    def _connection(self, sock):
        try:
            sock.settimeout(SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._context.wrap_socket(sock, server_side=True) as secured:
                self._requests(Connection(secured))
        except (OSError, ssl.SSLError):
            pass
        finally:
            sock.close()
            self._places.release()

    def _requests(self, connection):
        stays = True
        while stays:
            try:
                request = connection.read_request()
            except Broken as broken:
                if broken.status:
                    connection.write(None, Response(broken.status))
                    connection.discard()
                return
            if request is None:
                return
            stays = connection.write(request, self._answer(request))
            if request.body is None:
                connection.discard()
