"""What `parley init` and the demonstration write: settings, a data folder, a certificate."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from parley.app.certificates import make_self_signed
from parley.app.errors import DataUnusable, Unwilling
from parley.base.config import render_default

SETTINGS_FILE: Final = "parley.toml"
_CERTIFICATE: Final = "certs/fullchain.pem"
_PRIVATE_KEY: Final = "certs/key.pem"
_DATA: Final = "data"


@dataclass(frozen=True, slots=True)
class Installation:
    """What was written."""

    settings: Path
    data_dir: Path
    certificate: Path
    private_key: Path


def set_up(folder: Path, domains: Sequence[str], values: Mapping[str, object] | None = None) -> Installation:
    """Write everything that a server needs to start.

    Args:
        folder: created when missing.
        domains: the domains, the primary one first.
        values: settings that differ from their defaults, by dotted path.

    Raises:
        Unwilling: `already-there`, when something would be overwritten; then nothing is written.
        DataUnusable: the folder cannot be written to.
    """
    made = Installation(folder / SETTINGS_FILE, folder / _DATA, folder / _CERTIFICATE, folder / _PRIVATE_KEY)
    for path in (made.settings, made.certificate, made.private_key):
        if path.exists() or path.is_symlink():
            raise Unwilling("already-there", f"{path} exists already and is not overwritten")
    if made.data_dir.is_dir() and any(made.data_dir.iterdir()):
        raise Unwilling("already-there", f"{made.data_dir} is not empty")
    pair = make_self_signed(domains, datetime.now(UTC))
    try:
        made.certificate.parent.mkdir(parents=True, exist_ok=True)
        made.data_dir.mkdir(mode=0o700, exist_ok=True)
        made.data_dir.chmod(0o700)
        _write(made.private_key, pair.private_key, 0o600)
        _write(made.certificate, pair.certificate, 0o644)
        # Last: as long as there are no settings, `init` can be tried again after clearing up.
        _write(made.settings, render_default(domains, values).encode(), 0o644)
    except OSError as error:
        raise DataUnusable(str(error.filename or folder), error.strerror or str(error)) from error
    return made


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
