"""Media types, dispositions, content codings and file names: what says how a receiver treats a content."""

from __future__ import annotations

import re
from urllib.parse import quote

MAX_FILENAME_BYTES = 255

_TCHARS = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = re.compile(rf"({_TCHARS}/{_TCHARS})(?:[ \t]*;[\t\x20-\x7e]*)?", re.ASCII)
_INLINE = re.compile(r"(?:audio|video)/[a-z0-9.-]+|image/(?:png|jpeg|gif|webp|avif|bmp)|text/plain")
_CODING = re.compile(rf"({_TCHARS})[ \t]*(?:;[ \t]*[qQ]=([01](?:\.\d{{0,3}})?))?", re.ASCII)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\"%\ud800-\udfff]')
# RFC 8187 §3.2.1: attr-char, letters and digits aside.
_ATTR_CHARS = "!#$&+-.^_`|~"


def essence(value: str) -> str | None:
    """Return the lower-case `type/subtype` of a `Content-Type`, or None when it is malformed (RFC 9110 §8.3.1)."""
    match = _MEDIA_TYPE.fullmatch(value.strip(" \t"))
    return match[1].lower() if match else None


def is_inline_safe(content_type: str) -> bool:
    """Tell whether a browser can show the type without any means to run script in it: an allow-list.

    Types with a `+suffix` are not in it: every `+xml` is rendered as a document.
    """
    return _INLINE.fullmatch(essence(content_type) or "") is not None


def content_disposition(filename: str, is_inline: bool) -> str:
    """Return a `Content-Disposition` (RFC 6266) with an ASCII name and, if that is lossy, `filename*` (RFC 8187)."""
    kind = "inline" if is_inline else "attachment"
    fallback = _UNSAFE.sub("_", filename).encode("ascii", "replace").decode().replace("?", "_")
    if fallback == filename:
        return f'{kind}; filename="{fallback}"'
    encoded = quote(filename.encode("utf-8", "replace"), safe=_ATTR_CHARS)
    return f"{kind}; filename=\"{fallback}\"; filename*=UTF-8''{encoded}"


def safe_filename(name: str) -> str:
    """Return the last part of a file name as a person gave it, without anything that means something to a path.

    Control characters, separators and quotes become `_`; at most 255 bytes of UTF-8 remain, the extension kept where
    possible; `file` when nothing is left.
    """
    last = re.split(r"[/\\]", name)[-1]
    cleaned = _UNSAFE.sub("_", last).strip()
    # Browsers resolve dot segments in addresses.
    if not cleaned.strip("."):
        return "file"
    return _shorten(cleaned).strip()


def _shorten(name: str) -> str:
    if len(name.encode()) <= MAX_FILENAME_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    tail = dot + extension if stem and len(extension.encode()) <= 16 else ""
    head = (stem if tail else name).encode()[: MAX_FILENAME_BYTES - len(tail.encode())]
    return head.decode("utf-8", "ignore") + tail


def pick_coding(accept_encoding: str | None, available: tuple[str, ...]) -> str | None:
    """Choose a content coding (RFC 9110 §12.5.3).

    Args:
        accept_encoding: the request's header.
        available: codings at hand, the best first.

    Returns:
        The first of the best accepted codings, or None for identity, which is always at hand.
    """
    if accept_encoding is None:
        return None
    qualities: dict[str, float] = {}
    for element in accept_encoding.split(","):
        match = _CODING.fullmatch(element.strip(" \t"))
        if match is not None:
            qualities[match[1].lower()] = float(match[2] or 1)
    default = qualities.get("*", 0.0)
    best = max(available, key=lambda coding: qualities.get(coding, default), default=None)
    return best if best is not None and qualities.get(best, default) > 0 else None
