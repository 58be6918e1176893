"""A journal that outlives a crash of the process: what was written is in the system's cache, no sync is waited for.

Made for state that is worth nothing after the machine itself went down: then, which the name of the boot tells, what
the journal holds is dropped. Two files take turns, so that a new beginning is complete before the old one is given up.
Each is filled with zeros when it is made: later writes change no metadata of the file system, and so cost nobody's sync
a wait.

A file is a header (magic, generation, name of the boot) and frames (length, CRC-32 seeded with the generation,
payload). What the frames of an earlier generation left behind does not fit that seed, and ends the reading.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_MAGIC: Final = b"PRLYJRN1"
_HEADER: Final = struct.Struct(">8sQ64sI")
_FRAME: Final = struct.Struct(">II")
_ZEROS: Final = bytes(1024 * 1024)


class FileJournal:
    """See the module. One process may use it at a time.

    Args:
        folder: where `sessions-0.journal` and `sessions-1.journal` lie.
        boot: names the boot of the machine, at most 64 bytes of ASCII.
        size_bytes: of each file; it grows when a beginning needs more.

    Raises:
        OSError: of every method but `read`: the journal cannot be used any more.
    """

    def __init__(self, folder: Path, boot: str, size_bytes: int) -> None:
        self._paths = (folder / "sessions-0.journal", folder / "sessions-1.journal")
        self._boot = boot.encode()
        self._size_bytes = size_bytes
        self._generation = 0
        self._descriptor = -1
        self._offset = 0
        self._end = 0

    def read(self, newer_than: float) -> list[bytes]:
        """What was written since the last beginning, in order; nothing after a crash of the machine.

        `newer_than`, in seconds since the epoch: what was written last before that is too old.
        """
        best: tuple[int, Path | None] = (0, None)
        for path in self._paths:
            generation = self._generation_of(path)
            self._generation = max(self._generation, generation)
            if generation > best[0] and path.stat().st_mtime >= newer_than:
                best = (generation, path)
        generation, found = best
        return [] if found is None else _frames(found.read_bytes(), generation)

    def begin(self, payloads: Sequence[bytes]) -> None:
        """Forget what was written before, and start with these."""
        self._generation += 1
        path = self._paths[self._generation % 2]
        frames = b"".join(self._frame(payload) for payload in payloads)
        start = _HEADER.size
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            end = _fill(descriptor, max(self._size_bytes, 2 * (start + len(frames))))
            # Without a header that fits, the file counts for nothing until all is there.
            os.pwrite(descriptor, bytes(start), 0)
            _write(descriptor, frames + bytes(_FRAME.size), start)
            _write(descriptor, self._header(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self.close()
        self._descriptor, self._offset, self._end = descriptor, start + len(frames), end

    def write(self, payload: bytes) -> bool:
        """Add a payload. False, and nothing written, when there is no room: `begin` makes some."""
        frame = self._frame(payload)
        if self._offset + len(frame) + _FRAME.size > self._end:
            return False
        _write(self._descriptor, frame, self._offset)
        self._offset += len(frame)
        return True

    def close(self) -> None:
        """Stop writing; what was written stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Stop writing, and forget everything."""
        self.close()
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _header(self) -> bytes:
        checked = _HEADER.pack(_MAGIC, self._generation, self._boot, 0)[:-4]
        return checked + struct.pack(">I", zlib.crc32(checked))

    def _generation_of(self, path: Path) -> int:
        """The generation of a file of this boot; 0 for any other."""
        try:
            with path.open("rb") as file:
                header = file.read(_HEADER.size)
        except FileNotFoundError:
            return 0
        if len(header) < _HEADER.size:
            return 0
        magic, generation, boot, check = _HEADER.unpack(header)
        is_whole = magic == _MAGIC and check == zlib.crc32(header[:-4])
        return generation if is_whole and boot.rstrip(b"\0") == self._boot else 0

    def _frame(self, payload: bytes) -> bytes:
        return _FRAME.pack(len(payload), _check(payload, self._generation)) + payload


def _check(payload: bytes, generation: int) -> int:
    return zlib.crc32(payload, generation & 0xFFFFFFFF)


def _frames(data: bytes, generation: int) -> list[bytes]:
    found = []
    offset = _HEADER.size
    while offset + _FRAME.size <= len(data):
        length, check = _FRAME.unpack_from(data, offset)
        offset += _FRAME.size
        payload = data[offset : offset + length]
        if not length or len(payload) < length or _check(payload, generation) != check:
            break
        found.append(payload)
        offset += length
    return found


def _fill(descriptor: int, size_bytes: int) -> int:
    """Make the file at least that long, with blocks of its own; returns its length."""
    length = os.fstat(descriptor).st_size
    while length < size_bytes:
        length += os.pwrite(descriptor, _ZEROS[: size_bytes - length], length)
    return length


def _write(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
