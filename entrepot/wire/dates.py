"""Points in time as HTTP and XML write them. Microseconds since the epoch in UTC, or seconds."""

from __future__ import annotations

import calendar
import re
from functools import lru_cache
from time import gmtime
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS: Final = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}

_FIXDATE = re.compile(
    r"(?:\w{3}, )?(?P<day>\d{1,2}) (?P<month>\w{3}) (?P<year>\d{4}) (?P<clock>[\d:]{8}) (?:GMT|UTC|[+-]0000)",
    re.IGNORECASE | re.ASCII,
)
_RFC850 = re.compile(
    r"\w{6,9}, (?P<day>\d\d)-(?P<month>\w{3})-(?P<year>\d\d) (?P<clock>[\d:]{8}) GMT",
    re.IGNORECASE | re.ASCII,
)
_ASCTIME = re.compile(
    r"\w{3} (?P<month>\w{3}) (?P<day>[ \d]\d) (?P<clock>[\d:]{8}) (?P<year>\d{4})",
    re.IGNORECASE | re.ASCII,
)
_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)T(\d\d):?(\d\d):?(\d\d)(?:\.\d{1,9})?(?:Z|[+-]00:?00)",
    re.IGNORECASE | re.ASCII,
)
_SIXTY: Final = tuple(f"{number:02d}" for number in range(60))


@lru_cache(maxsize=4096)
def http_date(second: int) -> bytes:
    """A second since the epoch as IMF-fixdate (RFC 9110 §5.6.7), for a header field."""
    at = gmtime(second)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02d} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04d} "
        f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} GMT"
    ).encode("ascii")


def iso_date(microseconds: int) -> str:
    """The form of S3's documents, cut to the second so that it agrees with Last-Modified."""
    day, second = divmod(microseconds // 1_000_000, 86400)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{_iso_day(day)}T{_SIXTY[hour]}:{_SIXTY[minute]}:{_SIXTY[second]}.000Z"


@lru_cache(maxsize=4096)
def _iso_day(day: int) -> str:
    at = gmtime(day * 86400)
    return f"{at.tm_year:04d}-{at.tm_mon:02d}-{at.tm_mday:02d}"


def parse_http_date(text: str) -> int | None:
    """The second since the epoch of an HTTP date in any of its three forms (RFC 9110 §5.6.7), None for
    another. Of the obsolete form, with a year of two digits, years from 70 are of the last century.
    """
    text = text.strip()
    match = _FIXDATE.fullmatch(text) or _ASCTIME.fullmatch(text)
    if match is not None:
        year = int(match["year"])
    else:
        match = _RFC850.fullmatch(text)
        if match is None:
            return None
        year = int(match["year"])
        year += 1900 if year >= 70 else 2000
    month = _MONTH_NUMBERS.get(match["month"].lower())
    hour, _, rest = match["clock"].partition(":")
    minute, _, second = rest.partition(":")
    if month is None or not (len(hour) == len(minute) == len(second) == 2):
        return None
    return _second(year, month, int(match["day"]), int(hour), int(minute), int(second))


def parse_date(text: str) -> int | None:
    """An HTTP date, or one of ISO 8601 in UTC, as seconds since the epoch; None for another."""
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return parse_http_date(text)
    year, month, day, hour, minute, second = (int(group) for group in match.groups())
    return _second(year, month, day, hour, minute, second)


def _second(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int | None:
    if not (1 <= month <= 12 and year >= 1 and hour < 24 and minute < 60 and second <= 60):
        return None
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return calendar.timegm((year, month, day, hour, minute, second))
