"""Dates and times as XMPP writes them (XEP-0082), from and to microseconds since the epoch."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from parley.protocols.xmpp.errors import PayloadError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DATETIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)


def format_datetime(at_us: int) -> str:
    """`at_us` (microseconds since the epoch) as a DateTime in UTC, with a fraction only where there is one."""
    text = (_EPOCH + timedelta(microseconds=at_us)).isoformat()
    return text.removesuffix("+00:00") + "Z"


def parse_datetime(text: str) -> int:
    """The microseconds since the epoch that a DateTime names (XEP-0082 §3.2); finer fractions are cut off.

    Raises:
        PayloadError: not a DateTime, or one that does not exist.
    """
    match = _DATETIME.fullmatch(text)
    if match is None:
        raise PayloadError("not a date and time")
    *numbers, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    try:
        offset = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta()
        zone = timezone(-offset if sign == "-" else offset)
        microsecond = int((fraction or "0")[:6].ljust(6, "0"))
        named = datetime(year, month, day, hour, minute, second, microsecond, zone)
        # In UTC it must be a date too, or it could not be written again.
        return (named.astimezone(UTC) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError) as error:
        raise PayloadError("there is no such date and time") from error
