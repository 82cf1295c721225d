"""The program: `python3 conformance/interop/bank init|serve|provision|control|verify --state DIR`."""

import argparse
import json
import logging
import os
import socket
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bank.bank import Bank  # noqa: E402
from bank.ca import Authority  # noqa: E402
from bank.control import control  # noqa: E402
from bank.http import Server  # noqa: E402
from bank.policy import Policy  # noqa: E402
from bank.provision import provision  # noqa: E402


def init(folder, host, port):
    """Makes the bank's folder: keys, policy, and a port that stays over restarts."""
    Authority.create(folder, host)
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    Policy.write(folder, host, port)


def serve(folder, host, port):
    if not (Path(folder) / "bank.json").exists():
        init(folder, host, port)
    bank = Bank(folder)
    server = Server(
        "127.0.0.1", bank.policy.port, str(bank.folder / "tls.pem"), str(bank.folder / "tls.key.pem"), bank.answer
    )
    (bank.folder / "pid").write_text(str(os.getpid()))
    bank.issuing.resume()
    print(json.dumps({"directory": bank.policy.directory, "trust": str(bank.folder / "root.pem")}), flush=True)
    server.serve()


def main():
    parser = argparse.ArgumentParser(prog="bank", description="A bank of profile core, for tests on this machine only.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, meaning in (
        ("init", "makes keys and policy"), ("serve", "serves on 127.0.0.1 and prints the directory's URL"),
        ("provision", "SPEC.md annex B.1: a request on stdin, the answer on stdout"),
        ("control", "SPEC.md annex B.2, likewise"), ("verify", "verifies the chains of records"),
    ):
        one = commands.add_parser(command, help=meaning)
        one.add_argument("--state", required=True, metavar="DIR", help="the bank's folder")
        if command in ("init", "serve"):
            one.add_argument("--host", default="localhost", help="the name in its URLs, which resolves to this machine")
            one.add_argument("--port", type=int, default=0, help="0: any free one, which stays")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if chosen.command == "init":
        init(chosen.state, chosen.host, chosen.port)
    elif chosen.command == "serve":
        serve(chosen.state, chosen.host, chosen.port)
    elif chosen.command == "verify":
        with Bank(chosen.state).transaction() as db:
            broken = db.broken_records()
        print(json.dumps({"broken": broken}))
        sys.exit(1 if broken else 0)
    else:
        act = (lambda wanted: provision(Bank(chosen.state), wanted)) if chosen.command == "provision" else (
            lambda wanted: control(chosen.state, wanted))
        print(json.dumps(act(json.load(sys.stdin)), ensure_ascii=False))


if __name__ == "__main__":
    main()
