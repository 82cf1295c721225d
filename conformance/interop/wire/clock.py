"""Times, periods and windows (SPEC.md 4.3, 8.1). A time is whole seconds since 1970 (UTC)."""

import re
import time
from datetime import datetime, timedelta, timezone
from email.utils import formatdate, parsedate_to_datetime
from zoneinfo import ZoneInfo

TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z\Z")
PERIOD = re.compile(r"P(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?)?\Z")
DAY = 86400


def now():
    return int(time.time())


def read_time(text):
    match = TIME.match(text) if isinstance(text, str) else None
    if not match:
        raise ValueError("no time of SPEC.md 4.3")
    moment = datetime(*(int(group) for group in match.groups()), tzinfo=timezone.utc)
    return int(moment.timestamp())


def write_time(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_datetime(naive_utc):
    """A time of a certificate, which the library gives without its zone."""
    return int(naive_utc.replace(tzinfo=timezone.utc).timestamp())


def to_datetime(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)


def read_period(text):
    """(days, seconds): a day of a window is not 24 hours."""
    match = PERIOD.match(text) if isinstance(text, str) else None
    if not match or text.endswith("T") or text == "P":
        raise ValueError("no period of SPEC.md 4.3")
    days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return days, hours * 3600 + minutes * 60 + seconds


def period_seconds(text):
    days, seconds = read_period(text)
    return days * DAY + seconds


def window(not_after, days, zone):
    """(start, end) of the enforced window: the first instant of the day `days` before the local date of notAfter."""
    local = datetime.fromtimestamp(not_after, ZoneInfo(zone))
    day = local.date() - timedelta(days=days)
    return _first_instant(day, ZoneInfo(zone)), not_after


def _first_instant(day, zone):
    """Midnight, or the end of the gap in a zone whose clocks jump over it. Where midnight comes twice, the first one."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone, fold=0)
    seconds = int(midnight.timestamp())
    if datetime.fromtimestamp(seconds, zone).date() == day:
        while datetime.fromtimestamp(seconds - 60, zone).date() == day:
            seconds -= 60  # a gap: fold 0 counts on with the earlier offset, beyond the first instant
        return seconds
    while datetime.fromtimestamp(seconds, zone).date() < day:
        seconds += 60
    return seconds


def write_http_date(seconds):
    return formatdate(seconds, usegmt=True)


def read_http_date(text):
    moment = parsedate_to_datetime(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp())
