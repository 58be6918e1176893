"""Writes a backup, beside a running server or without one.

The database is copied first, as one snapshot. Contents never change, and one that the snapshot refers to can only go
away when its upload does: each gets a second name first, which costs nothing and keeps its bytes, and a snapshot whose
contents were deleted meanwhile is taken again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import parley
from parley.app import data_folder
from parley.app.backup import archive
from parley.app.errors import DataUnusable
from parley.base import ids
from parley.base.config import Settings
from parley.storage.disk import sync_path
from parley.storage.errors import BackupRefused
from parley.storage.sqlite import database
from parley.storage.sqlite.backup import create_backup
from parley.storage.sqlite.contents import referenced_contents

_SNAPSHOTS: Final = 3
_STAGING: Final = "staging-"
_STALE_S: Final = 24 * 3600

Progress = Callable[[int, int], None]
"""Is told how many bytes of how many are done."""


@dataclass(frozen=True, slots=True)
class Created:
    """What was written: so many `contents`; `missing` were not on the disk, `damaged` are not what they should be."""

    path: Path
    size_bytes: int
    contents: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]


def create(settings: Settings, settings_file: Path, target: Path, progress: Progress) -> Created:
    """Write a backup to `target`: complete and synced, or not there at all.

    Args:
        settings: where the data are.
        settings_file: goes into the backup too.
        target: must not exist; its folder must.
        progress: told of every piece.

    Raises:
        BackupRefused: `target` exists or cannot be written.
        DatabaseCorrupt, DatabaseUnusable: the database cannot be copied.
        DataUnusable: the data cannot be read.
    """
    if target.exists() or target.is_symlink():
        raise BackupRefused(f"{target} exists already")
    if not settings.database_path.is_file():
        raise DataUnusable(str(settings.data_dir), "holds no database")
    with staging(settings.data_dir) as folder:
        missing = _take_snapshot(settings, folder)
        shutil.copyfile(settings_file, folder / archive.SETTINGS)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(settings.data_dir / data_folder.KEY, folder / archive.KEY)
        return _write(settings, folder, target, missing, progress)


def remove_stale_staging(parent: Path, now_s: float) -> None:
    """Delete what work that was killed has left behind more than a day ago; `now_s` in seconds since the epoch."""
    for folder in parent.glob(f"{_STAGING}*"):
        if now_s - folder.stat().st_mtime > _STALE_S:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """A folder inside the data folder for the time of the work, on the same file system as the contents."""
    folder = parent / f"{_STAGING}{ids.token(8)}"
    try:
        folder.mkdir(mode=0o700)
        (folder / archive.BLOBS).mkdir()
    except OSError as error:
        raise DataUnusable(str(parent), error.strerror or str(error)) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take_snapshot(settings: Settings, folder: Path) -> tuple[str, ...]:
    """Copy the database and give each of its contents a second name; returns which are not there."""
    snapshot = folder / archive.DATABASE
    missing: list[str] = []
    for _ in range(_SNAPSHOTS):
        snapshot.unlink(missing_ok=True)
        _copy_database(settings.database_path, snapshot)
        missing = [name for name in _names(snapshot) if not _keep(settings.data_dir, folder, name)]
        if not missing:
            break
    return tuple(missing)


def _copy_database(path: Path, snapshot: Path) -> None:
    connection = database.open_reader(path)
    try:
        create_backup(connection, snapshot)
    except sqlite3.Error as error:
        raise database.opening_error(path, error) from error
    finally:
        connection.close()


def _names(snapshot: Path) -> list[str]:
    return [digest.hex() for digest in referenced_contents(snapshot)]


def _keep(data_dir: Path, folder: Path, name: str) -> bool:
    kept = folder / archive.BLOBS / name
    source = data_dir / data_folder.BLOBS / name[:2] / name
    try:
        os.link(source, kept)
    except FileExistsError:
        return True
    except FileNotFoundError:
        return False
    except OSError:
        # A file system without links.
        try:
            shutil.copyfile(source, kept)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise DataUnusable(str(source), error.strerror or str(error)) from error
    return True


def _write(settings: Settings, folder: Path, target: Path, missing: tuple[str, ...], progress: Progress) -> Created:
    wanted = set(_names(folder / archive.DATABASE))
    contents = sorted(path for path in (folder / archive.BLOBS).iterdir() if path.name in wanted)
    single = [folder / name for name in (archive.DATABASE, archive.KEY, archive.SETTINGS)]
    files = {path.name: path for path in single if path.exists()}
    files |= {f"{archive.BLOBS}/{path.name}": path for path in contents}
    total = sum(path.stat().st_size for path in files.values())
    counted = 0

    def done(size_bytes: int) -> None:
        nonlocal counted
        counted += size_bytes
        progress(counted, total)

    part = target.with_name(f"{target.name}.{ids.token(8)}.part")
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                listed = {name: archive.add_file(tar, name, path, done) for name, path in files.items()}
                manifest = archive.Manifest(
                    parley=parley.__version__,
                    created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    domains=settings.domains,
                    members=listed,
                    missing=missing,
                    damaged=archive.damaged_contents(listed),
                )
                archive.add_bytes(tar, archive.MANIFEST, manifest.model_dump_json(indent=1).encode())
            file.flush()
            os.fsync(descriptor)
        # A link, unlike a rename, does not replace what came into being meanwhile.
        os.link(part, target)
        sync_path(target.parent)
        return Created(target, target.stat().st_size, len(contents), missing, manifest.damaged)
    except OSError as error:
        raise BackupRefused(f"{target}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
