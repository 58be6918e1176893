"""Short names for socket files: the system allows 107 bytes, and data folders may lie deep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_LINE_BYTES = 64 * 1024 * 1024
"""Longest message; an import of some 50,000 accounts fits."""


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name for `path` that is short while the context lasts; raises OSError when its folder cannot be opened."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
