"""Provisioning by the process that serves, over a socket in the bank's folder: a process of its own mostly loads libraries."""

import socket
import threading
from pathlib import Path

NAME = "provision"


def ask(folder, request):
    """What the bank that serves answers, in octets; nothing where none serves."""
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(Path(folder) / NAME))
            asked.sendall(request)
            asked.shutdown(socket.SHUT_WR)
            return _all(asked)
    except OSError:
        return b""


def open_for(folder, answer):
    """Answers whoever asks, in threads of its own: `answer` is given the request's octets."""
    path = Path(folder) / NAME
    path.unlink(missing_ok=True)
    desk = socket.socket(socket.AF_UNIX)
    desk.bind(str(path))
    desk.listen()
    threading.Thread(target=_serve, args=(desk, answer), daemon=True).start()


def _serve(desk, answer):
    while True:
        asker, _ = desk.accept()
        threading.Thread(target=_answer, args=(asker, answer), daemon=True).start()


def _answer(asker, answer):
    # Without an answer the asker makes one itself, and tells of the fault.
    with asker:
        asker.sendall(answer(_all(asker)))


def _all(sock):
    return b"".join(iter(lambda: sock.recv(65536), b""))
