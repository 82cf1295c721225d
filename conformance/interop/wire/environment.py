"""Environments and what a bank demands of them (SPEC.md 7.22, 9.4)."""

import re

VERSION = re.compile(r"[0-9]+(\.[0-9]+)*\Z")


def accepted(environment, requirements):
    return not requirements or any(_meets(environment, requirement) for requirement in requirements)


def _meets(environment, requirement):
    return all(
        _reaches(environment[name], wanted) if name.endswith("Version") else environment[name] == wanted
        for name, wanted in requirement.items()
        if name in environment
    )


def _reaches(version, least):
    if not VERSION.match(version):
        return False
    return _numbers(version) >= _numbers(least)


def _numbers(version):
    """Without zeros at the end: missing numbers are 0."""
    numbers = [int(part) for part in version.split(".")] if VERSION.match(version) else [-1]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers
