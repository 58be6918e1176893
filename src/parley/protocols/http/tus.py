"""Headers of the resumable upload protocol tus 1.0.0 (https://tus.io/protocols/resumable-upload)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from parley.protocols.http.errors import HeaderError

VERSION = "1.0.0"
EXTENSIONS = ("creation", "creation-with-upload", "termination", "checksum", "expiration")
CHECKSUM_SIZES = {"sha1": 20, "sha256": 32}
"""Supported algorithms of the checksum extension with their digests' sizes in bytes. The specification wants sha1."""

CONTENT_TYPE = "application/offset+octet-stream"
MAX_METADATA_CHARS = 8192

_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]+")


@dataclass(frozen=True, slots=True)
class Checksum:
    """What `Upload-Checksum` promises: the digest of this request's body."""

    algorithm: str
    digest: bytes


class UnsupportedAlgorithmError(HeaderError):
    """A checksum by an algorithm that is not in `CHECKSUM_SIZES`."""

    def __init__(self) -> None:
        super().__init__("Upload-Checksum", "unsupported algorithm")


def parse_number(header: str, value: str | None) -> int:
    """Read `Upload-Offset`, `Upload-Length` and the like: a non-negative integer below 10^18.

    Raises:
        HeaderError: when it is missing or anything else; `header` is the name to report.
    """
    if value is None:
        raise HeaderError(header, "missing")
    if _NUMBER.fullmatch(value) is None:
        raise HeaderError(header, "not a non-negative integer")
    return int(value)


def parse_checksum(value: str) -> Checksum:
    """Read `Upload-Checksum`: an algorithm, one space, the digest in base64.

    Raises:
        UnsupportedAlgorithmError: for an algorithm that is not offered.
        HeaderError: for a malformed value or a digest of the wrong size.
    """
    algorithm, space, encoded = value.partition(" ")
    if not space or not encoded or " " in encoded:
        raise HeaderError("Upload-Checksum", "not an algorithm, a space and a digest")
    size_bytes = CHECKSUM_SIZES.get(algorithm)
    if size_bytes is None:
        raise UnsupportedAlgorithmError
    digest = decode_base64("Upload-Checksum", encoded)
    if len(digest) != size_bytes:
        raise HeaderError("Upload-Checksum", "the digest has the wrong size")
    return Checksum(algorithm, digest)


def parse_metadata(value: str) -> dict[str, bytes]:
    """Read `Upload-Metadata`: pairs of a key and a base64 value, separated by commas; a value may be absent.

    Raises:
        HeaderError: for an empty key, a key with a space or comma, a repeated key, bad base64, or more than
            `MAX_METADATA_CHARS` characters.
    """
    if len(value) > MAX_METADATA_CHARS:
        raise HeaderError("Upload-Metadata", "too long")
    pairs: dict[str, bytes] = {}
    if not value.strip(" "):
        return pairs
    for element in value.split(","):
        key, _, encoded = element.strip(" ").partition(" ")
        if _KEY.fullmatch(key) is None:
            raise HeaderError("Upload-Metadata", "a key is empty or not printable ASCII")
        # «All keys MUST be unique.»
        if key in pairs:
            raise HeaderError("Upload-Metadata", "a key is repeated")
        pairs[key] = decode_base64("Upload-Metadata", encoded)
    return pairs


def format_metadata(pairs: dict[str, bytes]) -> str:
    """Write `Upload-Metadata`; the inverse of `parse_metadata` for valid keys."""
    return ",".join(f"{key} {base64.b64encode(value).decode()}" if value else key for key, value in pairs.items())


def decode_base64(header: str, encoded: str) -> bytes:
    """Decode padded base64 (RFC 4648 §4) strictly.

    Raises:
        HeaderError: for other characters, wrong padding or stray bits.
    """
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise HeaderError(header, "not base64") from None
    if base64.b64encode(decoded).decode() != encoded:
        raise HeaderError(header, "not canonical base64")
    return decoded
