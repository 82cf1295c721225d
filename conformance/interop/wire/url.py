"""URLs in their one normal form, and the base (SPEC.md 4.4)."""

import re

MOST_CHARACTERS = 2048
FORM = re.compile(r"(https|http)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?(/[!-~]*)\Z")
LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|\[::1\]")
DEFAULT_PORT = {"https": "443", "http": "80"}
FOR_PEOPLE = re.compile(r"https://[!-~]+\Z")


def check(text):
    """The text, or ValueError where it is not a url of SPEC.md 4.4."""
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        raise ValueError("no url, or too long")
    match = FORM.match(text)
    if not match:
        raise ValueError("no absolute URL in its normal form")
    scheme, host, port, path = match.groups()
    if scheme == "http" and not LOOPBACK.fullmatch(host):
        raise ValueError("http for another than a loopback host")
    if port == DEFAULT_PORT[scheme] or int(port or 1) > 65535:
        raise ValueError("the default port, or no port")
    if any(character in path for character in "?#\\"):
        raise ValueError("a query, a fragment or a backslash")
    for segment in path.split("/"):
        if segment.lower().replace("%2e", ".") in (".", ".."):
            raise ValueError("a dot segment")
    return text


def check_for_people(text):
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS or not FOR_PEOPLE.match(text):
        raise ValueError("no https URL")
    return text


def base(directory):
    return directory[: directory.rindex("/") + 1]


def below(text, directory):
    """Whether a client with this directory may sign a request to the URL (URL-02)."""
    return text.startswith(base(directory))


def authority(text):
    return FORM.match(text).group(0).split("/")[2]


def parts(text):
    """(scheme, host, port, path)."""
    scheme, host, port, path = FORM.match(text).groups()
    return scheme, host.strip("[]"), int(port or DEFAULT_PORT[scheme]), path
