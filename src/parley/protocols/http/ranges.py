"""Byte ranges (RFC 9110 §14): which parts of a content of known size a `Range` header asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MAX_RANGES = 16
"""How many ranges in one header are served unless told otherwise: RFC 9110 §17.15 warns of requests with very many."""

_SPEC = re.compile(r"(\d{1,19})-(\d{0,19})|-(\d{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes [start, end) of a content, `start < end`."""

    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """How many bytes it spans."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class RangeSpec:
    """One element of the header: `first`-`last` inclusive, `first`- (no last), or the last `suffix` bytes."""

    first: int | None = None
    last: int | None = None
    suffix: int | None = None


def parse_range(value: str, max_ranges: int = MAX_RANGES) -> tuple[RangeSpec, ...] | None:
    """Read a `Range` header.

    Args:
        value: the header.
        max_ranges: so many are served.

    Returns:
        The requested ranges in their order, or None when the header is to be ignored: another unit than bytes, a
        malformed set (RFC 9110 §14.2 lets a server ignore it), or more than `max_ranges` ranges.
    """
    unit, equals, ranges = value.partition("=")
    if not equals or unit.strip(" \t").lower() != "bytes":
        return None
    # RFC 9110 §5.6.1.2: a recipient must accept empty list elements.
    elements = [element for element in (part.strip(" \t") for part in ranges.split(",", 4 * max_ranges)) if element]
    if not elements or len(elements) > max_ranges:
        return None
    specs = [_parse_spec(element) for element in elements]
    if any(spec is None for spec in specs):
        return None
    return tuple(spec for spec in specs if spec is not None)


def _parse_spec(text: str) -> RangeSpec | None:
    match = _SPEC.fullmatch(text)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return RangeSpec(suffix=int(suffix))
    if not last:
        return RangeSpec(first=int(first))
    # RFC 9110 §14.1.1: a last position below the first makes the whole set invalid.
    return RangeSpec(int(first), int(last)) if int(last) >= int(first) else None


def resolve(specs: Sequence[RangeSpec], size_bytes: int) -> tuple[Span, ...]:
    """Cut the requested ranges to a content of `size_bytes`.

    Returns:
        The satisfiable spans in the order of the request, merged and sorted when some overlap (RFC 9110 §15.3.7.2 lets
        a server coalesce them); empty when none can be satisfied, which is answered by 416.
    """
    spans = [span for span in (_cut(spec, size_bytes) for spec in specs) if span is not None]
    ordered = sorted(spans, key=lambda span: span.start)
    if all(before.end <= after.start for before, after in pairwise(ordered)):
        return tuple(spans)
    return _merge(ordered)


def _cut(spec: RangeSpec, size_bytes: int) -> Span | None:
    if spec.suffix is not None:
        start, end = max(size_bytes - spec.suffix, 0), size_bytes
    else:
        start = spec.first or 0
        end = size_bytes if spec.last is None else min(spec.last + 1, size_bytes)
    return Span(start, end) if start < end else None


def _merge(ordered: Sequence[Span]) -> tuple[Span, ...]:
    merged = [ordered[0]]
    for span in ordered[1:]:
        last = merged[-1]
        if span.start < last.end:
            merged[-1] = Span(last.start, max(last.end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def content_range(span: Span | None, size_bytes: int) -> str:
    """Return the value of `Content-Range` (RFC 9110 §14.4); without a span the form that goes with 416."""
    if span is None:
        return f"bytes */{size_bytes}"
    return f"bytes {span.start}-{span.end - 1}/{size_bytes}"
