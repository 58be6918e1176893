"""A model of a disk that keeps only what was synced, fed with the system calls of a traced process.

It is stricter than file systems are: bytes survive when an `fsync` or `fdatasync` of their file that began after they
were written has returned; a name survives when a sync of its folder that began after it was made has returned.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FILE_CALLS = (
    *("openat", "open", "creat", "write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range"),
    *(
        "fsync",
        "fdatasync",
        "sync_file_range",
        "rename",
        "renameat",
        "renameat2",
        "link",
        "linkat",
        "unlink",
        "unlinkat",
    ),
    *("ftruncate", "truncate", "fallocate", "mkdir", "mkdirat", "rmdir"),
)
SOCKET_CALLS = ("sendto", "sendmsg", "sendmmsg")
STRACE = (
    *("strace", "-f", "--seccomp-bpf", "-yy", "-xx", "-s", "16777216", "-qq", "-e", "signal=none"),
    *("-e", f"trace={','.join(FILE_CALLS + SOCKET_CALLS)}"),
)
BLOCK_BYTES = 4096

_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_TARGET = re.compile(r"(\d+|AT_FDCWD)<([^>]*(?:->[^>]*)?)>")
_PORT = re.compile(r"TCP:\[127\.0\.0\.1:(\d+)->127\.0\.0\.1:(\d+)\]")


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded.

    Attributes:
        name: of the call.
        arguments: as strace prints them.
        result: what it returned.
        began, ended: lines of the trace; calls of several threads overlap.
    """

    name: str
    arguments: str
    result: int
    began: int
    ended: int

    @property
    def strings(self) -> list[bytes]:
        return [unhex(text) for text in _STRING.findall(self.arguments)]

    @property
    def descriptor(self) -> int:
        return int(self.arguments.partition("<")[0].partition(",")[0])

    @property
    def target(self) -> str:
        """The path of the first descriptor, "" when it is none of a file."""
        match = _TARGET.match(self.arguments)
        return unhex(match[2]).decode() if match is not None and match[2].startswith("\\x") else ""

    @property
    def sent_from(self) -> tuple[int, int] | None:
        """Local and remote port of a TCP socket on loopback."""
        match = _PORT.search(self.arguments.partition(",")[0])
        return (int(match[1]), int(match[2])) if match is not None else None

    def number(self, place: int) -> int:
        """An argument that is a number; places count from the end when negative."""
        return int(_STRING.sub('""', self.arguments).split(",")[place].strip().rstrip("]}"), 0)


def unhex(text: str) -> bytes:
    """Bytes from strace's `-xx` form."""
    return bytes.fromhex(text.replace("\\x", ""))


def calls_of(trace: Iterable[str]) -> Iterator[Call]:
    """The calls that succeeded, in the order in which they returned."""
    open_calls: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(trace):
        match = _LINE.match(line.rstrip("\n"))
        if match is None:
            continue
        thread, text = match.groups()
        began = number
        if text.endswith(_UNFINISHED):
            open_calls[thread] = (number, text.removesuffix(_UNFINISHED))
            continue
        resumed = _RESUMED.match(text)
        if resumed is not None:
            began, first = open_calls.pop(thread)
            text = first + resumed[2]
        call = _CALL.match(text)
        if call is not None and int(call[3]) >= 0:
            yield Call(call[1], call[2], int(call[3]), began, number)


@dataclass(slots=True)
class Inode:
    """A file: its bytes as the process sees them, and as they are on the disk."""

    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    unsynced: list[tuple[int, int, bytes, int]] = field(default_factory=list)
    """How to undo each change since the last sync: line of its end, position, bytes and length before."""

    def write(self, line: int, position: int, data: bytes) -> None:
        end = position + len(data)
        self.unsynced.append((line, position, bytes(self.data[position:end]), len(self.data)))
        if position > len(self.data):
            self.data.extend(bytes(position - len(self.data)))
        self.data[position:end] = data

    def truncate(self, line: int, size: int) -> None:
        self.unsynced.append((line, size, bytes(self.data[size:]), len(self.data)))
        self.data[size:] = bytes(max(0, size - len(self.data)))

    def sync(self, began: int) -> None:
        """A sync that began at line `began` has returned: what was written before is durable."""
        state = bytearray(self.data)
        late = [change for change in self.unsynced if change[0] >= began]
        for _, position, before, length in reversed(late):
            state[position : position + len(before)] = before
            del state[length:]
        self.synced = bytes(state)
        self.unsynced = late


class Disk:
    """The files below a folder.

    Args:
        root: the folder; other paths are ignored.
        before: the folder as it was when the trace began, all of it durable.
    """

    def __init__(self, root: Path, before: Path) -> None:
        self._root = root
        self._names: dict[str, Inode] = {}
        self._folders: set[str] = {str(root)}
        self._kept: dict[str, dict[str, Inode | None]] = {}
        self._positions: dict[int, int] = {}
        self.syncs = 0
        for path in before.rglob("*"):
            name = str(root / path.relative_to(before))
            if path.is_dir():
                self._folders.add(name)
            else:
                content = path.read_bytes()
                self._names[name] = Inode(bytearray(content), content)
        for folder in self._folders:
            self._kept[folder] = self._entries(folder)

    def apply(self, call: Call) -> None:
        """Follow a call, in the order in which calls returned."""
        handler = getattr(self, f"_do_{call.name}", None)
        if handler is not None:
            handler(call)

    def file(self, name: str) -> bytes | None:
        """A durable file's durable bytes; None when its name would not survive."""
        inode = self._durable(str(self._root / name))
        return None if inode is None else inode.synced

    def write_image(self, target: Path, chance: random.Random | None = None) -> None:
        """Write what a power cut leaves.

        Args:
            target: a new folder.
            chance: when given, each block that was written and not synced is there or not, as a disk may do it.
        """
        for folder in sorted(self._folders):
            if self._is_durable_folder(folder):
                (target / Path(folder).relative_to(self._root)).mkdir(parents=True, exist_ok=True)
        for folder, entries in self._kept.items():
            for name, inode in entries.items():
                if inode is not None and self._is_durable_folder(folder):
                    content = inode.synced if chance is None else _torn(inode, chance)
                    path = target / Path(folder).relative_to(self._root) / name
                    path.write_bytes(content)
                    path.chmod(0o600)

    # Calls.

    def _do_openat(self, call: Call) -> None:
        path = self._path(call.strings[0])
        self._positions[call.result] = 0
        if path is None or path in self._folders:
            return
        inode = self._names.get(path)
        if inode is None and "O_CREAT" in call.arguments:
            self._names[path] = Inode()
        elif inode is not None and "O_TRUNC" in call.arguments:
            inode.truncate(call.ended, 0)
        if inode is not None and "O_APPEND" in call.arguments:
            self._positions[call.result] = len(inode.data)

    def _do_write(self, call: Call) -> None:
        inode = self._names.get(call.target)
        if inode is not None:
            position = self._positions.get(call.descriptor, 0)
            self._write(inode, call, position)
            self._positions[call.descriptor] = position + call.result

    _do_writev = _do_write

    def _do_pwrite64(self, call: Call) -> None:
        inode = self._names.get(call.target)
        if inode is not None:
            self._write(inode, call, call.number(-1))

    def _do_ftruncate(self, call: Call) -> None:
        inode = self._names.get(call.target)
        if inode is not None:
            inode.truncate(call.ended, call.number(-1))

    def _do_fsync(self, call: Call) -> None:
        self.syncs += 1
        path = call.target
        if path in self._folders:
            # Names made while the call ran are taken for kept: nothing here makes names beside a sync of their folder.
            self._kept[path] = self._entries(path)
            return
        inode = self._names.get(path)
        if inode is not None:
            inode.sync(call.began)

    _do_fdatasync = _do_fsync

    def _do_link(self, call: Call) -> None:
        source, target = (self._path(text) for text in call.strings[:2])
        if source in self._names and target is not None:
            self._names[target] = self._names[source]

    _do_linkat = _do_link

    def _do_rename(self, call: Call) -> None:
        source, target = (self._path(text) for text in call.strings[:2])
        if source in self._names and target is not None:
            self._names[target] = self._names.pop(source)

    _do_renameat = _do_renameat2 = _do_rename

    def _do_unlink(self, call: Call) -> None:
        path = self._path(call.strings[0])
        if path is not None:
            self._names.pop(path, None)

    _do_unlinkat = _do_unlink

    def _do_mkdir(self, call: Call) -> None:
        path = self._path(call.strings[0])
        if path is not None:
            self._folders.add(path)
            self._kept[path] = {}

    _do_mkdirat = _do_mkdir

    def _refuse(self, call: Call) -> None:
        if call.target.startswith(str(self._root)):
            raise NotImplementedError(call.name)

    _do_pwritev = _do_pwritev2 = _do_copy_file_range = _do_sendfile = _do_fallocate = _do_truncate = _refuse

    # Parts.

    def _path(self, text: bytes) -> str | None:
        path = os.path.normpath(text.decode())
        return path if path.startswith(f"{self._root}/") or path == str(self._root) else None

    def _write(self, inode: Inode, call: Call, position: int) -> None:
        inode.write(call.ended, position, b"".join(call.strings)[: call.result])

    def _entries(self, folder: str) -> dict[str, Inode | None]:
        entries: dict[str, Inode | None] = {
            os.path.basename(name): inode for name, inode in self._names.items() if os.path.dirname(name) == folder
        }
        entries.update({os.path.basename(path): None for path in self._folders if os.path.dirname(path) == folder})
        return entries

    def _durable(self, path: str) -> Inode | None:
        folder, name = os.path.split(path)
        return self._kept.get(folder, {}).get(name) if self._is_durable_folder(folder) else None

    def _is_durable_folder(self, folder: str) -> bool:
        while folder != str(self._root):
            parent, name = os.path.split(folder)
            if name not in self._kept.get(parent, {}):
                return False
            folder = parent
        return True


def _torn(inode: Inode, chance: random.Random) -> bytes:
    data, synced = bytes(inode.data), inode.synced
    if data == synced:
        return data
    size = chance.choice((len(data), len(synced), max(len(data), len(synced))))
    blocks = []
    for start in range(0, size, BLOCK_BYTES):
        chosen = chance.choice((data, synced))[start : start + BLOCK_BYTES]
        blocks.append(chosen.ljust(min(BLOCK_BYTES, size - start), b"\0"))
    return b"".join(blocks)
