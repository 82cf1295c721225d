"""Annex B.2: kills and starts the bank, disturbs its CA, and disables subjects."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from .bank import Bank
from .policy import Policy

SECONDS = 20


def control(folder, wanted):
    """The answer to one request."""
    do = wanted.get("do")
    if do == "kill":
        return _kill(folder)
    if do == "start":
        return _start(folder)
    if do in ("caDown", "caUp", "caSlow"):
        with Bank(folder).transaction() as db:
            db.set_setting("ca", "down" if do == "caDown" else "up")
            db.set_setting("caSeconds", wanted.get("seconds", 0) if do == "caSlow" else 0)
        return {}
    if do == "disable":
        return _disable(folder, wanted["subject"])
    return {"cannot": "a bank of profile core has no such control"}


def _disable(folder, subject):
    with Bank(folder).transaction() as db:
        db.run("UPDATE subject SET disabled = 1 WHERE id = ?", subject)
        db.record(subject, "bank", did="disabled")
    return {}


def _kill(folder):
    path = Path(folder) / "pid"
    if path.exists():
        try:
            os.kill(int(path.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            pass
        path.unlink()
    return {}


def _start(folder):
    program = Path(__file__).resolve().parent
    with open(Path(folder) / "log", "ab") as log:
        subprocess.Popen(
            [sys.executable, str(program), "serve", "--state", str(folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )
    url, context = Policy(folder).directory, ssl.create_default_context(cafile=str(Path(folder) / "root.pem"))
    end = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, context=context, timeout=5) as response:
                json.load(response)
                return {}
        except OSError:
            if time.monotonic() > end:
                return {"cannot": "the bank does not answer"}
            time.sleep(0.05)
