"""The format of a backup: an uncompressed tar file whose last member lists the others.

    parley.db          one snapshot of the database
    secret.key         the server's secret
    parley.toml        the settings, for reference: certificates are not in the backup
    blobs/DIGEST       each content that the snapshot refers to
    manifest.json      format, time, and SHA-256 and size of every other member

The manifest is written last, so that a backup that was cut off has none. Contents are sealed or compressed already, and
a plain tar file can be read by anything.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parley.storage.errors import BackupRefused

DATABASE: Final = "parley.db"
KEY: Final = "secret.key"
SETTINGS: Final = "parley.toml"
MANIFEST: Final = "manifest.json"
BLOBS: Final = "blobs"

MEMBER: Final = re.compile(r"parley\.db|secret\.key|parley\.toml|blobs/[0-9a-f]{64}")

_PIECE_BYTES: Final = 1024 * 1024
_MOST_MANIFEST_BYTES: Final = 1024 * 1024 * 1024
_MODE: Final = 0o600

BytesDone = Callable[[int], None]
"""Is told of bytes that were read or written."""


class Member(BaseModel):
    """What the manifest says of a member; `sha256` in hexadecimal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(ge=0)]


class Manifest(BaseModel):
    """The last member. `created_at` is in ISO 8601.

    `missing` are contents that were not on the disk any more, `damaged` those whose bytes there were not theirs.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: Literal["parley-backup-1"] = "parley-backup-1"
    parley: str
    created_at: str
    domains: tuple[str, ...]
    members: dict[str, Member]
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


def add_file(tar: tarfile.TarFile, name: str, path: Path, done: BytesDone) -> Member:
    """Write a file into the archive and return what to say of it. Raises OSError."""
    with path.open("rb") as file:
        info = tarfile.TarInfo(name)
        info.size = file.seek(0, io.SEEK_END)
        info.mode = _MODE
        file.seek(0)
        reader = _Hashing(file, done)
        # A file that is shorter than it was a moment ago ends in an OSError.
        tar.addfile(info, reader)
    return Member(sha256=reader.hexdigest(), size_bytes=info.size)


def add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> Member:
    """Write bytes into the archive and return what to say of them. Raises OSError."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = _MODE
    tar.addfile(info, io.BytesIO(data))
    return Member(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


@dataclass(frozen=True, slots=True)
class OpenMember:
    """A member being read: its name, its size and its bytes."""

    name: str
    size_bytes: int
    file: IO[bytes]


def members(tar: tarfile.TarFile) -> Iterator[OpenMember]:
    """Every member in turn, to be read before the next one.

    Raises:
        BackupRefused: a member is not one of a backup's; names of foreign archives never become names of files.
    """
    for info in tar:
        if not info.isreg() or (info.name != MANIFEST and MEMBER.fullmatch(info.name) is None):
            raise BackupRefused(f"it is not a backup of Parley: it holds {info.name!r}")
        file = tar.extractfile(info)
        if file is None:
            raise BackupRefused(f"{info.name} cannot be read")
        yield OpenMember(info.name, info.size, file)


def copy(member: OpenMember, target: IO[bytes] | None, done: BytesDone) -> Member:
    """Read a member to its end, write it to `target` if there is one, and return what there is to say of it.

    Raises:
        BackupRefused: the archive ends too early.
        OSError: it cannot be read or written.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    while piece := member.file.read(_PIECE_BYTES):
        digest.update(piece)
        size_bytes += len(piece)
        done(len(piece))
        if target is not None:
            target.write(piece)
    if size_bytes != member.size_bytes:
        raise BackupRefused(f"the backup ends within {member.name}")
    return Member(sha256=digest.hexdigest(), size_bytes=size_bytes)


def read_manifest(member: OpenMember) -> Manifest:
    """Read the manifest; raises BackupRefused."""
    try:
        return Manifest.model_validate_json(member.file.read(_MOST_MANIFEST_BYTES))
    except ValidationError as error:
        raise BackupRefused(f"the manifest cannot be read: {error.error_count()} faults") from error


def damaged_contents(members: Mapping[str, Member]) -> tuple[str, ...]:
    """The contents among these members whose bytes do not have the digest that names them."""
    split = ((name.partition("/"), member) for name, member in members.items())
    return tuple(digest for (kind, _, digest), member in split if kind == BLOBS and digest != member.sha256)


class _Hashing:
    """A file as tarfile reads it, with the digest of what was read."""

    def __init__(self, file: IO[bytes], done: BytesDone) -> None:
        self._file = file
        self._done = done
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes."""
        piece = self._file.read(size)
        self._digest.update(piece)
        self._done(len(piece))
        return piece

    def hexdigest(self) -> str:
        """SHA-256 of everything read so far."""
        return self._digest.hexdigest()
