"""Reads a backup: to verify it, or to put it in the place of a server's data."""

from __future__ import annotations

import asyncio
import os
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from parley.app import data_folder
from parley.app.backup import archive
from parley.app.backup.archive import Manifest, Member, OpenMember
from parley.app.backup.creating import Progress, staging
from parley.app.data_folder import DataFolder
from parley.app.errors import DataUnusable, Unwilling
from parley.base.clock import SystemClock
from parley.storage.disk import sync_path
from parley.storage.errors import BackupRefused, SchemaOutdated
from parley.storage.sqlite.backup import VerifyReport, verify_database
from parley.storage.sqlite.contents import referenced_contents
from parley.storage.sqlite.store import SqliteStorage, StorageOptions

_SETTINGS_COPY: Final = "parley.toml.restored"
_DATABASE_FILES: Final = ("parley.db-wal", "parley.db-shm", archive.DATABASE)
_OTHER_DATA: Final = (data_folder.BLOBS, data_folder.PARTIALS, data_folder.KEY)

Target = Callable[[OpenMember], Path | None]
"""Where a member is to be written; None for not at all."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a sound backup holds; `missing` are contents that were lost before it was made."""

    manifest: Manifest
    database: VerifyReport
    contents: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put in place, and where the former data lie now, if there were any."""

    verified: Verified
    data_dir: Path
    set_aside: Path | None


def verify(path: Path, progress: Progress) -> Verified:
    """Read a backup completely: every member's digest, and the structure and the references of the database.

    Raises:
        BackupRefused: it is damaged, cut off, or none.
        StorageError: its database cannot be used.
    """
    parent = path.parent if os.access(path.parent, os.W_OK) else None
    try:
        with tempfile.TemporaryDirectory(prefix=".verify-", dir=parent) as folder:
            database = Path(folder) / archive.DATABASE
            return _read(path, lambda member: database if member.name == archive.DATABASE else None, progress)
    except OSError as error:
        raise BackupRefused(f"{path}: {error.strerror or error}") from error


def restore(path: Path, data_dir: Path, progress: Progress, *, is_forced: bool) -> Restored:
    """Verify a backup and put it in place; nothing is changed unless all of it is sound.

    Args:
        path: the backup.
        data_dir: the data folder, made when missing. No server may use it.
        progress: told of every piece.
        is_forced: set data that are there aside; without, they are a reason to refuse.

    Raises:
        Unwilling: `data-exist`.
        DataInUse: a server runs.
        BackupRefused, StorageError: the backup is not sound.
        DataUnusable: the folder cannot be written to.
    """
    with DataFolder(data_dir):
        if not is_forced and _has_data(data_dir):
            raise Unwilling("data-exist", f"{data_dir} holds data; --force sets them aside")
        with staging(data_dir) as folder:
            verified = _read(path, lambda member: _place(folder, member.name), progress)
            try:
                _sync(folder)
                set_aside = _set_aside(data_dir) if _has_data(data_dir) else None
                _put_in_place(folder, data_dir)
            except OSError as error:
                raise DataUnusable(str(data_dir), error.strerror or str(error)) from error
    return Restored(verified, data_dir, set_aside)


def _read(path: Path, target: Target, progress: Progress) -> Verified:
    found: dict[str, Member] = {}
    manifest: Manifest | None = None
    database: Path | None = None
    counted = 0
    try:
        total = path.stat().st_size

        def done(size_bytes: int) -> None:
            nonlocal counted
            counted += size_bytes
            progress(counted, total)

        with tarfile.open(path, "r:") as tar:
            for member in archive.members(tar):
                if manifest is not None or member.name in found:
                    raise BackupRefused(f"{member.name} is there twice or behind the manifest")
                if member.name == archive.MANIFEST:
                    manifest = archive.read_manifest(member)
                    continue
                place = target(member)
                with _open(place) as file:
                    found[member.name] = archive.copy(member, file, done)
                if member.name == archive.DATABASE:
                    database = place
    except (tarfile.TarError, EOFError) as error:
        raise BackupRefused(f"{path} is not a backup, or damaged: {error}") from error
    except OSError as error:
        raise BackupRefused(f"{path}: {error.strerror or error}") from error
    progress(total, total)
    manifest = _check_manifest(manifest, found)
    if database is None:
        raise BackupRefused("it holds no database")
    report = _check_database(database, found, manifest)
    contents = sum(name.startswith(archive.BLOBS) for name in found)
    return Verified(manifest, report, contents, total)


def _check_manifest(manifest: Manifest | None, found: dict[str, Member]) -> Manifest:
    if manifest is None:
        raise BackupRefused("it has no manifest: it was cut off while it was written")
    for name in manifest.members.keys() | found.keys():
        listed, member = manifest.members.get(name), found.get(name)
        if member is None:
            raise BackupRefused(f"{name} is missing in it")
        if listed != member:
            raise BackupRefused(f"{name} is not what the manifest says")
    for digest in archive.damaged_contents(found):
        if digest not in manifest.damaged:
            raise BackupRefused(f"the content {digest} is damaged")
    return manifest


def _check_database(database: Path, found: dict[str, Member], manifest: Manifest) -> VerifyReport:
    try:
        report = verify_database(database)
    except SchemaOutdated:
        asyncio.run(_migrate(database))
        report = verify_database(database)
    known = {name.partition("/")[2] for name in found} | set(manifest.missing)
    for digest in referenced_contents(database):
        if digest.hex() not in known:
            raise BackupRefused(f"the content {digest.hex()} is missing in it")
    return report


async def _migrate(database: Path) -> None:
    async with SqliteStorage(database, SystemClock(), StorageOptions(is_migrated=True)):
        pass


def _open(place: Path | None) -> IO[bytes] | nullcontext[None]:
    if place is None:
        return nullcontext()
    place.parent.mkdir(exist_ok=True)
    return os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _place(folder: Path, name: str) -> Path:
    kind, _, digest = name.partition("/")
    return folder / kind / digest[:2] / digest if digest else folder / name


def _has_data(data_dir: Path) -> bool:
    blobs = data_dir / data_folder.BLOBS
    has_contents = blobs.is_dir() and any(blobs.iterdir())
    return has_contents or any((data_dir / name).exists() for name in (archive.DATABASE, data_folder.KEY))


def _set_aside(data_dir: Path) -> Path:
    number = 1
    while (aside := data_dir / f"replaced-{number}").exists():
        number += 1
    aside.mkdir(mode=0o700)
    # The write-ahead log goes first: a new database must never meet an old log.
    for name in (*_DATABASE_FILES, *_OTHER_DATA):
        if (data_dir / name).exists():
            (data_dir / name).rename(aside / name)
    sync_path(aside)
    sync_path(data_dir)
    return aside


def _put_in_place(folder: Path, data_dir: Path) -> None:
    blobs = data_dir / data_folder.BLOBS
    if blobs.is_dir():
        blobs.rmdir()
    (folder / archive.BLOBS).rename(blobs)
    for name, target in ((archive.KEY, data_folder.KEY), (archive.SETTINGS, _SETTINGS_COPY)):
        if (folder / name).exists():
            (folder / name).replace(data_dir / target)
    sync_path(data_dir)
    # Last: a data folder with a database is a complete one.
    (folder / archive.DATABASE).rename(data_dir / archive.DATABASE)
    sync_path(data_dir)


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        sync_path(path)
    sync_path(folder)
