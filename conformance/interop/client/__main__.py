"""The adapter of SPEC.md annex B.3: one action, by environment variables."""

import os
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from client import enrollment, renewal, undo  # noqa: E402
from client.outcome import DONE, FAULT, USAGE, Ended, say  # noqa: E402
from client.run import Run  # noqa: E402
from client.store import Store  # noqa: E402

ACTIONS = {
    "renew": renewal.renew, "resume": lambda run: renewal.renew(run, resuming=True), "defer": renewal.defer,
    "cancel": undo.cancel, "rollback": undo.rollback, "enroll": enrollment.enroll,
}


class Settings:
    """The environment variables."""

    def __init__(self, variables):
        try:
            self.directory, self.trust = variables["KOSHIN_DIRECTORY"], variables["KOSHIN_TRUST"]
            self.state, self.action = variables["KOSHIN_STATE"], ACTIONS[variables["KOSHIN_ACTION"]]
        except KeyError as missing:
            raise Ended(USAGE, "missing or unknown: %s" % missing) from missing
        self.pin, self.ticket = variables.get("KOSHIN_PIN"), variables.get("KOSHIN_TICKET")


def main():
    try:
        settings = Settings(os.environ)
        if settings.action is enrollment.enroll:
            enrollment.read_ticket(settings)
        store = Store(settings.state)
        store.bind(settings.directory)
        run = Run(store, settings)
        run.rounds(lambda: settings.action(run))
    except Ended as ended:
        say(ended)
        return ended.code
    except (OSError, ValueError) as error:
        say("a fault of the client or of its settings: %r" % error)
        return FAULT
    return DONE


if __name__ == "__main__":
    sys.exit(main())
