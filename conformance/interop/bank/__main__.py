"""The program: `python3 conformance/interop/bank init|serve|provision|control|verify --state DIR`."""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bank import desk  # noqa: E402

COMMANDS = {
    "init": "makes keys and policy", "serve": "serves on 127.0.0.1 and prints the directory's URL",
    "provision": "SPEC.md annex B.1: a request on stdin, the answer on stdout", "control": "SPEC.md annex B.2, likewise",
    "verify": "verifies the chains of records",
}


def main():
    parser = argparse.ArgumentParser(prog="bank", description="A bank of profile core, for tests on this machine only.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, meaning in COMMANDS.items():
        one = commands.add_parser(command, help=meaning)
        one.add_argument("--state", required=True, metavar="DIR", help="the bank's folder")
        if command in ("init", "serve"):
            one.add_argument("--host", default="localhost", help="the name in its URLs, which resolves to this machine")
            one.add_argument("--port", type=int, default=0, help="0: any free one, which stays")
            one.add_argument("--policy", default="{}", metavar="JSON", help="what is to differ in bank.json")
    chosen = parser.parse_args()
    given = sys.stdin.buffer.read() if chosen.command in ("provision", "control") else b""
    answer = desk.ask(chosen.state, given) if chosen.command == "provision" else b""
    if answer:
        sys.stdout.buffer.write(answer)
    else:
        from bank import program  # late: it loads all libraries
        program.run(chosen, given)


if __name__ == "__main__":
    main()
