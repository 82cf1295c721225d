"""How a run ends: the exit codes of SPEC.md annex B.3, and what a person is told."""

import sys
import unicodedata

DONE, FAULT, USAGE, LATER, ACT, REISSUE = 0, 1, 2, 10, 11, 12
CODES = {"retry": LATER, "wait": LATER, "reissueByAdministrator": REISSUE, "reissueAtBranch": REISSUE}


class Ended(Exception):
    """The run ends here with this exit code; the state can be resumed."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class NoAnswer(Exception):
    """SPEC.md 12.4: nobody knows whether the bank acted. `wait`: seconds that the bank asked for, where it did."""

    def __init__(self, why, wait=None):
        super().__init__(why)
        self.wait = wait


class Refusal(Exception):
    """A refusal of the bank that the caller has to act on; `answer` is a problem.Answer, None for no problem document."""

    def __init__(self, status, action, answer=None):
        super().__init__(answer.token if answer else "status %d" % status)
        self.status, self.action, self.answer = status, action, answer

    @property
    def token(self):
        return self.answer.token if self.answer else None

    def ended(self):
        """ERR-08: what the person is told of a refusal that the client does not mend."""
        if self.answer is None:
            return Ended(CODES.get(self.action, ACT), "the bank answered %d" % self.status)
        remedy = self.answer.remedy
        told = "%s %s (%s%s)" % (self.answer.title, self.answer.detail, self.action, ", " + remedy["by"] if "by" in remedy else "")
        return Ended(CODES.get(self.action, ACT), told)


def say(text):
    """ERR-11: text of the bank comes without control characters."""
    print("".join("?" if unicodedata.category(c) in ("Cc", "Cf") else c for c in str(text)), file=sys.stderr, flush=True)
