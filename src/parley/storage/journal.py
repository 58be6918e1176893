"""A journal that outlives a crash of the process: what was written is in the system's cache, no sync is waited for.

Made for state that is worth nothing after the machine itself went down: then, which the name of the boot tells, what
the journal holds is dropped. Two files take turns, so that a new beginning is complete before the old one is given up.
Each is filled with zeros when it is made: later writes change no metadata of the file system, and so cost nobody's sync
a wait. They are mapped into memory, so that writing is no call of the system.

A file is a header (magic, generation, name of the boot), the time of the last write, and frames (length, CRC-32 seeded
with the generation, payload). What the frames of an earlier generation left behind does not fit that seed, and ends the
reading.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

_MAGIC: Final = b"PRLYJRN1"
_HEADER: Final = struct.Struct(">8sQ64sI")
_TIME: Final = struct.Struct(">Q")
_START: Final = _HEADER.size + _TIME.size
_FRAME: Final = struct.Struct(">II")
_ZEROS: Final = bytes(1024 * 1024)


class FileJournal:
    """See the module. One process may use it at a time.

    Args:
        folder: where `sessions-0.journal` and `sessions-1.journal` lie.
        boot: names the boot of the machine, at most 64 bytes of ASCII.
        now_us: the time, in microseconds since the epoch.
        size_bytes: of each file; it grows when a beginning needs more.

    Raises:
        OSError: of every method but `read`: the journal cannot be used any more.
    """

    def __init__(self, folder: Path, boot: str, now_us: Callable[[], int], size_bytes: int) -> None:
        self._paths = (folder / "sessions-0.journal", folder / "sessions-1.journal")
        self._boot = boot.encode()
        self._now_us = now_us
        self._size_bytes = size_bytes
        self._generation = 0
        self._map: mmap.mmap | None = None
        self._offset = 0

    def read(self, newer_than: int) -> list[bytes]:
        """What was written since the last beginning, in order; nothing after a crash of the machine.

        `newer_than`, in microseconds since the epoch: what was written last before that is too old.
        """
        best, found = 0, b""
        for path in self._paths:
            data = path.read_bytes() if path.exists() else b""
            generation = self._generation_of(data)
            self._generation = max(self._generation, generation)
            if generation > best:
                best, found = generation, data
        if not best or _TIME.unpack_from(found, _HEADER.size)[0] < newer_than:
            return []
        return _frames(found, best)

    def begin(self, payloads: Sequence[bytes]) -> None:
        """Forget what was written before, and start with these."""
        self._generation += 1
        frames = b"".join(self._frame(payload) for payload in payloads)
        end = _START + len(frames)
        mapped = _mapped(self._paths[self._generation % 2], max(self._size_bytes, 2 * end))
        # Without a header that fits, the file counts for nothing until all is there.
        mapped[: _HEADER.size] = bytes(_HEADER.size)
        mapped[_HEADER.size : end + _FRAME.size] = _TIME.pack(self._now_us()) + frames + bytes(_FRAME.size)
        mapped[: _HEADER.size] = self._header()
        self.close()
        self._map, self._offset = mapped, end

    def write(self, payload: bytes) -> bool:
        """Add a payload. False, and nothing written, when there is no room: `begin` makes some."""
        if self._map is None:
            raise OSError(errno.EBADF, "the journal is closed")
        frame = self._frame(payload)
        end = self._offset + len(frame)
        if end + _FRAME.size > len(self._map):
            return False
        self._map[self._offset : end] = frame
        self._map[_HEADER.size : _START] = _TIME.pack(self._now_us())
        self._offset = end
        return True

    def close(self) -> None:
        """Stop writing; what was written stays."""
        if self._map is not None:
            self._map.close()
            self._map = None

    def remove(self) -> None:
        """Stop writing, and forget everything."""
        self.close()
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _header(self) -> bytes:
        checked = _HEADER.pack(_MAGIC, self._generation, self._boot, 0)[:-4]
        return checked + struct.pack(">I", zlib.crc32(checked))

    def _generation_of(self, data: bytes) -> int:
        """The generation of a file of this boot; 0 for any other."""
        if len(data) < _START:
            return 0
        magic, generation, boot, check = _HEADER.unpack_from(data)
        is_whole = magic == _MAGIC and check == zlib.crc32(data[: _HEADER.size - 4])
        return generation if is_whole and boot.rstrip(b"\0") == self._boot else 0

    def _frame(self, payload: bytes) -> bytes:
        return _FRAME.pack(len(payload), _check(payload, self._generation)) + payload


def _check(payload: bytes, generation: int) -> int:
    return zlib.crc32(payload, generation & 0xFFFFFFFF)


def _frames(data: bytes, generation: int) -> list[bytes]:
    found = []
    offset = _START
    while offset + _FRAME.size <= len(data):
        length, check = _FRAME.unpack_from(data, offset)
        offset += _FRAME.size
        payload = data[offset : offset + length]
        if not length or len(payload) < length or _check(payload, generation) != check:
            break
        found.append(payload)
        offset += length
    return found


def _mapped(path: Path, size_bytes: int) -> mmap.mmap:
    """The file, made at least that long with blocks of its own, as memory that is shared with it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        length = os.fstat(descriptor).st_size
        while length < size_bytes:
            length += os.pwrite(descriptor, _ZEROS[: size_bytes - length], length)
        return mmap.mmap(descriptor, length)
    finally:
        os.close(descriptor)
