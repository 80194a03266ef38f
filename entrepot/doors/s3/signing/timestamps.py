"""Moments as Signature Version 4 writes them, ``20130524T000000Z``, and epoch seconds."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

_BASIC: Final = re.compile(rb"([0-9]{8})T([01][0-9]|2[0-3])([0-5][0-9])([0-5][0-9])Z")
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


def parse_basic(stamp: bytes) -> int:
    """Epoch seconds of ``YYYYMMDD'T'HHMMSS'Z'``; raises ValueError for anything else."""
    match = _BASIC.fullmatch(stamp)
    if match is None:
        raise ValueError("not of the form YYYYMMDD'T'HHMMSS'Z'")
    day, hours, minutes, seconds = match.groups()
    return _day_start(day) + int(hours) * 3600 + int(minutes) * 60 + int(seconds)


@lru_cache(maxsize=64)
def _day_start(day: bytes) -> int:
    return (date(int(day[:4]), int(day[4:6]), int(day[6:])).toordinal() - _EPOCH_DAY) * 86400


def parse_http(value: str) -> int:
    """Epoch seconds of a ``Date`` header (RFC 9110 §5.6.7); raises ValueError."""
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp())
    except (TypeError, OverflowError) as error:
        raise ValueError(f"not a date: {value}") from error


def basic(seconds: float) -> str:
    """``20130524T000000Z``."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%SZ}"


def extended(seconds: float) -> str:
    """``2013-05-24T00:00:00Z``, the form of error documents."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
