"""What each command of the program does."""

import json
import logging
import os
import socket
import sys
from pathlib import Path

from . import desk
from .bank import Bank
from .ca import Authority
from .control import control
from .http import Server
from .policy import Policy
from .provision import provision


def run(chosen, given):
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if chosen.command == "init":
        _init(chosen)
    elif chosen.command == "serve":
        _serve(chosen)
    elif chosen.command == "verify":
        _verify(chosen.state)
    elif chosen.command == "provision":
        sys.stdout.buffer.write(_provisioned(Bank(chosen.state), given))
    else:
        sys.stdout.buffer.write(_octets(control(chosen.state, json.loads(given))))


def _init(chosen):
    """Makes the bank's folder: keys, policy, and a port that stays over restarts."""
    Authority.create(chosen.state, chosen.host)
    port = chosen.port
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    Policy.write(chosen.state, chosen.host, port, **json.loads(chosen.policy))


def _serve(chosen):
    if not (Path(chosen.state) / "bank.json").exists():
        _init(chosen)
    bank = Bank(chosen.state)
    tls = (str(bank.folder / name) for name in ("tls.pem", "tls.key.pem"))
    server = Server("127.0.0.1", bank.policy.port, *tls, bank.answer)
    (bank.folder / "pid").write_text(str(os.getpid()))
    bank.issuing.resume()
    desk.open_for(bank.folder, lambda given: _provisioned(bank, given))
    print(json.dumps({"directory": bank.policy.directory, "trust": str(bank.folder / "root.pem")}), flush=True)
    server.serve()


def _verify(folder):
    with Bank(folder).transaction() as db:
        broken = db.broken_records()
    print(json.dumps({"broken": broken}))
    sys.exit(1 if broken else 0)


def _provisioned(bank, given):
    return _octets(provision(bank, json.loads(given)))


def _octets(answer):
    return json.dumps(answer, ensure_ascii=False).encode("utf-8")
