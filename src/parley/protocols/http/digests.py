"""Digest fields: `Content-Digest` and `Repr-Digest` (RFC 9530), and `Digest`, which they replaced (RFC 3230)."""

from __future__ import annotations

import re

from parley.protocols.http.errors import HeaderError
from parley.protocols.http.tus import decode_base64

SHA256_BYTES = 32

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_BINARY = re.compile(r":([A-Za-z0-9+/=]*):")


def parse_content_digest(header: str, value: str) -> bytes | None:
    """Read the SHA-256 of a `Content-Digest` or `Repr-Digest` field.

    Args:
        header: the field's name, for the error.
        value: a dictionary of structured fields (RFC 8941 §3.2) whose values are byte sequences.

    Returns:
        32 bytes, or None when only other algorithms are given (RFC 9530 §2: unknown ones are ignored).

    Raises:
        HeaderError: for a malformed field or a SHA-256 of the wrong size.
    """
    found: bytes | None = None
    for member in value.split(","):
        key, equals, encoded = member.strip(" \t").partition("=")
        match = _BINARY.fullmatch(encoded)
        if not equals or match is None or _KEY.fullmatch(key) is None:
            raise HeaderError(header, "not a dictionary of byte sequences")
        if key == "sha-256":
            found = _sha256(header, match[1])
    return found


def parse_legacy_digest(value: str) -> bytes | None:
    """Read the SHA-256 of a `Digest` field (RFC 3230 §4.3.2, algorithm names without regard to case).

    Raises:
        HeaderError: for a malformed field or a SHA-256 of the wrong size.
    """
    found: bytes | None = None
    for member in value.split(","):
        name, equals, encoded = member.strip(" \t").partition("=")
        if not equals or not name:
            raise HeaderError("Digest", "not a list of algorithms and digests")
        if name.lower() == "sha-256":
            found = _sha256("Digest", encoded)
    return found


def _sha256(header: str, encoded: str) -> bytes:
    digest = decode_base64(header, encoded)
    if len(digest) != SHA256_BYTES:
        raise HeaderError(header, "a SHA-256 has 32 bytes")
    return digest
