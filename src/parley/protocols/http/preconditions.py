"""Conditional requests (RFC 9110 §13) against one representation with a strong entity tag and a date."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto

Header = Callable[[str], str | None]
"""Looks up a request header by its lower-case name; repeated ones are joined by commas."""

_ETAG = re.compile(r'\s*((W/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)')
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DATES = (
    re.compile(rf"[A-Z][a-z]{{2}}, (?P<day>\d\d) (?P<month>[A-Z][a-z]{{2}}) (?P<year>\d{{4}}) {_CLOCK} GMT", re.ASCII),
    re.compile(rf"[A-Z][a-z]{{5,8}}, (?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d\d) {_CLOCK} GMT", re.ASCII),
    re.compile(rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) (?P<day>[ \d]\d) {_CLOCK} (?P<year>\d{{4}})", re.ASCII),
)


class Verdict(Enum):
    """What the preconditions of a request lead to."""

    PROCEED = auto()
    NOT_MODIFIED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Validators:
    """What identifies a representation.

    Attributes:
        etag: strong entity tag with its quotes.
        modified_s: `Last-Modified` in whole seconds since the epoch; None when the resource has no such date.
    """

    etag: str
    modified_s: int | None


def http_date(time_s: int) -> str:
    """Format whole seconds since the epoch as an IMF-fixdate (RFC 9110 §5.6.7)."""
    date = datetime.fromtimestamp(time_s, tz=UTC)
    return f"{_DAYS[date.weekday()]}, {date.day:02d} {_MONTHS[date.month - 1]} {date.year:04d} {date:%H:%M:%S} GMT"


def parse_http_date(value: str) -> int | None:
    """Read any of the three date formats of RFC 9110 §5.6.7; None for anything else."""
    for pattern in _DATES:
        match = pattern.fullmatch(value.strip(" \t"))
        if match is not None:
            return _seconds(match)
    return None


def _seconds(match: re.Match[str]) -> int | None:
    if match["month"] not in _MONTHS:
        return None
    year, day = int(match["year"]), int(match["day"])
    if len(match["year"]) == 2:
        # RFC 850's years of two digits: nothing here is older than 1970.
        year += 2000 if year < 70 else 1900
    month = _MONTHS.index(match["month"]) + 1
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    if year < 1970 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    return calendar.timegm((year, month, day, hour, minute, second))


def parse_etags(value: str) -> list[str] | None:
    """Read a list of entity tags, weak marks kept; None when the list is malformed."""
    tags: list[str] = []
    position = 0
    while position < len(value):
        match = _ETAG.match(value, position)
        if match is None:
            return None
        tags.append(match[1])
        position = match.end()
    return tags or None


def _matches(value: str, etag: str, is_weak: bool) -> bool:
    if value.strip() == "*":
        return True
    tags = parse_etags(value) or []
    # RFC 9110 §8.8.3.2: weak comparison looks only at the opaque part, strong never matches a weak tag.
    return any((tag.removeprefix("W/") if is_weak else tag) == etag for tag in tags)


def evaluate(header: Header, validators: Validators) -> Verdict:
    """Evaluate the preconditions of a GET or HEAD in the order of RFC 9110 §13.2.2 (`If-Range` aside).

    Args:
        header: looks up a request header.
        validators: of the representation that would be sent.
    """
    if_match = header("if-match")
    if if_match is not None:
        if not _matches(if_match, validators.etag, is_weak=False):
            return Verdict.FAILED
    elif _is_modified_since(header("if-unmodified-since"), validators, default=False):
        return Verdict.FAILED
    if_none_match = header("if-none-match")
    if if_none_match is not None:
        return Verdict.NOT_MODIFIED if _matches(if_none_match, validators.etag, is_weak=True) else Verdict.PROCEED
    is_modified = _is_modified_since(header("if-modified-since"), validators, default=True)
    return Verdict.PROCEED if is_modified else Verdict.NOT_MODIFIED


def _is_modified_since(value: str | None, validators: Validators, default: bool) -> bool:
    # RFC 9110 §13.1.3, §13.1.4: without a valid date, or without a date of ours, the header is ignored.
    since = None if value is None else parse_http_date(value)
    if since is None or validators.modified_s is None:
        return default
    return validators.modified_s > since


def range_applies(if_range: str | None, validators: Validators) -> bool:
    """Tell whether the `Range` header counts (RFC 9110 §13.1.5).

    A date counts only when it is exactly ours: a representation behind these validators never changes, so that the date
    is a strong validator here.
    """
    if if_range is None:
        return True
    value = if_range.strip()
    if value.startswith(('"', "W/")):
        return value == validators.etag
    return validators.modified_s is not None and parse_http_date(value) == validators.modified_s
