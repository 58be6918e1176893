"""Fuzz target: a backup is sound, or refused with StorageError; nothing is written outside of the folder given."""

import io
import tarfile
import tempfile
from pathlib import Path

from parley.app.backup import archive
from parley.app.backup.archive import Manifest, Member
from parley.app.backup.restoring import verify
from parley.storage.errors import StorageError

# Removed with the module, at the end of the process.
_KEPT = tempfile.TemporaryDirectory(prefix="parley-fuzz-")
FOLDER = Path(_KEPT.name)
BACKUP = FOLDER / "parley.backup"


def _made(*names: str, is_manifest_there: bool = True) -> bytes:
    file = io.BytesIO()
    found: dict[str, Member] = {}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            found[name] = archive.add_bytes(tar, name, b"SQLite format 3\0" + b"x" * 90)
        if is_manifest_there:
            manifest = Manifest(parley="1", created_at="2024-01-01T00:00:00Z", domains=("example.org",), members=found)
            archive.add_bytes(tar, archive.MANIFEST, manifest.model_dump_json().encode())
    return file.getvalue()


SEEDS = [
    _made(archive.DATABASE, archive.KEY, archive.SETTINGS, f"{archive.BLOBS}/{'a' * 64}"),
    _made(archive.DATABASE, is_manifest_there=False),
    _made("../../outside", f"{archive.BLOBS}/{'ü' * 120}"),
    _made(archive.DATABASE, archive.DATABASE),
]


def target(data: bytes) -> None:
    """Verify a file of these bytes; none of them holds a sound database."""
    BACKUP.write_bytes(data)
    try:
        verify(BACKUP, lambda done, total: None)
    except StorageError:
        assert [path.name for path in FOLDER.iterdir()] == [BACKUP.name]
        return
    raise AssertionError("it is no backup")


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
