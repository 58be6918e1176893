"""The data folder: who may use it, what lies where.

lock          held (flock) by the one process that uses the folder, with its process id inside
parley.db     the database, with parley.db-wal and parley.db-shm beside it while it is open
secret.key    32 random bytes; see `identity/sign_in.py`
blobs/        complete contents, by digest
partials/     unfinished uploads
clock         when the wall clock was seen last; see `app/wall_clock.py`
admin.sock    where a running server listens to the command line
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from parley.app.errors import DataInUse, DataUnusable

LOCK: Final = "lock"
KEY: Final = "secret.key"
SOCKET: Final = "admin.sock"
CLOCK: Final = "clock"
BLOBS: Final = "blobs"
PARTIALS: Final = "partials"

SECRET_BYTES: Final = 32

_PATIENCE_S: Final = 3.0
_PAUSE_S: Final = 0.05
_OTHERS: Final = 0o077


class DataFolder:
    """The folder, locked while the context is entered. Created when missing, for its owner only.

    Args:
        path: the folder.
        patience_s: how long to wait for another process to let go, in seconds; commands hold it for a moment.

    Raises:
        DataInUse: on entering, when another process holds it.
        DataUnusable: on entering, when it cannot be created or written to.
    """

    def __init__(self, path: Path, patience_s: float = _PATIENCE_S) -> None:
        self.path = path
        self._patience_s = patience_s
        self._descriptor = -1

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self.path / LOCK, flags, 0o600)
        except OSError as error:
            raise DataUnusable(str(self.path), f"cannot be used: {error.strerror}") from error
        try:
            self._lock()
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _give_to_owner(self.path)
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def secret(self) -> bytes:
        """The server's secret, made when there is none.

        Raises:
            DataUnusable: it cannot be read or written, or is not one.
        """
        path = self.path / KEY
        try:
            if not path.exists():
                _write_once(path, secrets.token_bytes(SECRET_BYTES))
            secret = path.read_bytes()
        except OSError as error:
            raise DataUnusable(str(path), error.strerror or str(error)) from error
        if len(secret) != SECRET_BYTES:
            raise DataUnusable(str(path), f"is not {SECRET_BYTES} bytes long: restore it from a backup or delete it")
        return secret

    def _lock(self) -> None:
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise DataUnusable(str(self.path), f"cannot be locked: {error.strerror}") from error
            if time.monotonic() >= deadline:
                raise DataInUse(str(self.path), _holder(self._descriptor))
            time.sleep(_PAUSE_S)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)


def is_open_to_others(path: Path) -> bool:
    """Tell whether other users of the machine may read, write or enter it."""
    return bool(path.stat().st_mode & _OTHERS)


def _give_to_owner(folder: Path) -> None:
    """Give what root made in somebody else's data folder to that user, whose server could not use it otherwise."""
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in (folder / name for name in os.listdir(folder)):
        for below in (path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else ())):
            if below.lstat().st_uid == 0:
                os.chown(below, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return f" (process {text})" if text.isdecimal() else ""


def _write_once(path: Path, data: bytes) -> None:
    """Write a file completely or not at all, durably, and never over another one."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with contextlib.suppress(FileExistsError):
        os.link(part, path)
    part.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
