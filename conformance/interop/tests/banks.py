"""Banks to test against, each started for the tests and ended by its own process id."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
SECONDS = 60


class PythonBank:
    """The bank beside this folder."""

    name = "the Python bank"
    profile = "core"

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="koshin-interop-")
        self.folder = Path(self._folder.name) / "bank"
        self._run("init")
        self.control(do="start")
        config = json.loads((self.folder / "bank.json").read_text(encoding="utf-8"))
        self.directory = "https://%s:%d/koshin/directory" % (config["host"], config["port"])
        self.trust = str(self.folder / "root.pem")

    def provision(self, **wanted):
        return json.loads(self._run("provision", json.dumps(wanted)))

    def control(self, **wanted):
        return json.loads(self._run("control", json.dumps(wanted)))

    def stop(self):
        self.control(do="kill")
        self._folder.cleanup()

    def _run(self, command, given=""):
        return subprocess.run(
            [sys.executable, str(HERE / "bank"), command, "--state", str(self.folder)],
            input=given, capture_output=True, text=True, check=True, timeout=SECONDS,
        ).stdout


class RustBank:
    """`koshin-server`, named by KOSHIN_SERVER: the program of this repository as a black box."""

    name = "koshin-server"
    profile = "full"
    program = os.environ.get("KOSHIN_SERVER")

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="koshin-interop-")
        self.folder = Path(self._folder.name) / "bank"
        port = _free_port()
        origin = "https://localhost:%d" % port
        self._run("init", str(self.folder), "--tls-for-loopback", "--testing", "--listen", "127.0.0.1:%d" % port, "--origin", origin)
        self._config = ("--config", str(self.folder / "koshin-server.toml"))
        self._process = subprocess.Popen([self.program, "serve", *self._config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.directory = next(word for word in self._process.stdout.readline().split() if word.endswith("/directory"))
        self.trust = str(self.folder / "root.pem")

    def provision(self, **wanted):
        return json.loads(self._run("provision", *self._config, given=json.dumps(wanted)))

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def _run(self, *arguments, given=""):
        return subprocess.run(
            [self.program, *arguments], input=given, capture_output=True, text=True, check=True, timeout=SECONDS
        ).stdout


def _free_port():
    import socket
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def client(bank, state, action, **more):
    """Runs the client for one action: its exit code."""
    variables = {
        "PATH": os.environ.get("PATH", ""), "KOSHIN_DIRECTORY": bank.directory, "KOSHIN_TRUST": bank.trust,
        "KOSHIN_STATE": str(state), "KOSHIN_ACTION": action, **more,
    }
    ran = subprocess.run(
        [sys.executable, str(HERE / "client")], env=variables, capture_output=True, text=True, timeout=SECONDS * 3
    )
    return ran.returncode, ran.stderr
