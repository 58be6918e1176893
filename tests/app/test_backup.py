"""Backups: what goes in comes out, whatever happens meanwhile; what is damaged is refused as a whole."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.app.calling import DOMAIN, Cli, upload
from tests.support.limits import within
from tests.support.raw_client import RawClient
from tests.support.server import ParleyServer

from parley.base.clock import SystemClock
from parley.domain.uploads import Upload, UploadState
from parley.storage.sqlite.store import SqliteStorage

CONTENTS = [b"first content", b"second content" * 1000]


@pytest.fixture
def full(cli: Cli) -> Cli:
    """An installation with an account and two contents."""
    cli("user", "add", f"alice@{DOMAIN}", "--password-stdin", given="sesame\n")
    (cli.data / "secret.key").write_bytes(b"s" * 32)
    for content in CONTENTS:
        name = hashlib.sha256(content).hexdigest()
        path = cli.data / "blobs" / name[:2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    asyncio.run(_add_rows(cli))
    return cli


async def _add_rows(cli: Cli) -> None:
    async with SqliteStorage(cli.data / "parley.db", SystemClock()) as storage:
        account = await storage.accounts.find(f"alice@{DOMAIN}")
        assert account is not None
        for number, content in enumerate(CONTENTS):
            upload = Upload(
                f"upload-number-{number:04}",
                account.id,
                b"p" * 32,
                b"g" * 32,
                "name",
                "",
                len(content),
                0,
                UploadState.OPEN,
                b"",
                1,
                2**62,
            )
            await storage.uploads.add(upload, 2**40, 10)
            await storage.uploads.complete(upload.id, hashlib.sha256(content).digest(), 2**62)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_comes_back(full: Cli, tmp_path):
    file = tmp_path / "backup.tar"
    created = full.json("backup", "create", file)
    assert created == {
        "path": str(file),
        "size_bytes": file.stat().st_size,
        "contents": 2,
        "missing": [],
        "damaged": [],
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.glob("*.part")) == []
    verified = full.json("backup", "verify", file)
    assert (verified["accounts"], verified["contents"], verified["domains"]) == (1, 2, [DOMAIN])
    restored = full.json("backup", "restore", file, "--into", tmp_path / "other")
    assert restored["set_aside"] is None
    before, after = tree(full.data / "blobs"), tree(tmp_path / "other" / "blobs")
    assert before == after
    assert len(after) == 2
    assert (tmp_path / "other" / "secret.key").read_bytes() == b"s" * 32
    listed = full.json("user", "list", "--set", f"data_dir={tmp_path}/other")
    assert listed == full.json("user", "list")
    assert list(full.data.glob("staging-*")) + list((tmp_path / "other").glob("staging-*")) == []


def test_nothing_is_overwritten(full: Cli, tmp_path):
    file = tmp_path / "backup.tar"
    file.write_text("mine")
    assert full.json("backup", "create", file, status=1)["error"]["code"] == "backup-refused"
    assert file.read_text() == "mine"
    file.unlink()
    full.json("backup", "create", file)
    before = tree(full.data)
    assert full.json("backup", "restore", file, status=1)["error"]["code"] == "data-exist"
    assert tree(full.data) == before


def test_forced_restoring_sets_data_aside(full: Cli, tmp_path):
    file = tmp_path / "backup.tar"
    full.json("backup", "create", file)
    full("user", "add", f"late@{DOMAIN}")
    aside = Path(full.json("backup", "restore", file, "--force")["set_aside"])
    assert [each["address"] for each in full.json("user", "list")["accounts"]] == [f"alice@{DOMAIN}"]
    assert {"parley.db", "blobs", "secret.key"} <= {path.name for path in aside.iterdir()}
    assert tree(aside / "blobs") == tree(full.data / "blobs")


def rewritten(file: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Write the archive anew with other members."""
    with tarfile.open(file) as tar:
        members = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    change(members)
    with tarfile.open(file, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def flip(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        found = next(member for member in members if member.startswith(name))
        members[found] = bytes([members[found][0] ^ 1]) + members[found][1:]

    return change


def forge_database(members: dict[str, bytes]) -> None:
    """Damage the database and let the manifest agree."""
    members["parley.db"] = members["parley.db"][:4096] + b"\xff" * 4096 + members["parley.db"][8192:]
    manifest = json.loads(members["manifest.json"])
    manifest["members"]["parley.db"]["sha256"] = hashlib.sha256(members["parley.db"]).hexdigest()
    members["manifest.json"] = json.dumps(manifest).encode()


def forge_content(members: dict[str, bytes]) -> None:
    """Take a content away and let the manifest agree."""
    name = next(member for member in members if member.startswith("blobs/"))
    del members[name]
    manifest = json.loads(members["manifest.json"])
    del manifest["members"][name]
    members["manifest.json"] = json.dumps(manifest).encode()


@pytest.mark.parametrize(
    "change",
    [
        flip("parley.db"),
        flip("blobs/"),
        flip("secret.key"),
        flip("manifest.json"),
        forge_database,
        forge_content,
        lambda members: members.pop("parley.db"),
        lambda members: members.pop("manifest.json"),
        lambda members: members.pop(next(name for name in members if name.startswith("blobs/"))),
        lambda members: members.update({"../../evil": b"x"}),
        lambda members: members.update({"blobs/" + "a" * 64: b"x"}),
    ],
    ids=[
        "database",
        "content",
        "secret",
        "manifest",
        "forged-database",
        "forged-content",
        "no-database",
        "no-manifest",
        "no-content",
        "foreign-name",
        "unlisted",
    ],
)
def test_what_is_damaged_is_refused_and_changes_nothing(full: Cli, tmp_path, change):
    file = tmp_path / "backup.tar"
    full.json("backup", "create", file)
    rewritten(file, change)
    full.json("backup", "verify", file, status=1)
    before = tree(full.data)
    full.json("backup", "restore", file, "--force", status=1)
    assert tree(full.data) == before
    full.json("backup", "restore", file, "--into", tmp_path / "fresh", status=1)
    assert set(tree(tmp_path / "fresh")) <= {"lock"}


@pytest.mark.parametrize("keep", [0, 100, 5000, -20000])
def test_what_was_cut_off_is_refused(full: Cli, tmp_path, keep):
    file = tmp_path / "backup.tar"
    full.json("backup", "create", file)
    file.write_bytes(file.read_bytes()[:keep])
    assert full.json("backup", "verify", file, status=1)["error"]["code"] == "backup-refused"


def test_losses_of_the_disk_do_not_stop_a_backup(full: Cli, tmp_path):
    lost, bent = sorted(path for path in (full.data / "blobs").rglob("*") if path.is_file())
    lost.unlink()
    bent.write_bytes(b"bent")
    created = full.json("backup", "create", tmp_path / "backup.tar")
    assert (created["missing"], created["damaged"]) == ([lost.name], [bent.name])
    verified = full.json("backup", "verify", tmp_path / "backup.tar")
    assert (verified["missing"], verified["damaged"]) == ([lost.name], [bent.name])


def test_without_data_there_is_nothing_to_back_up(cli: Cli, tmp_path):
    shutil.rmtree(cli.data)
    assert cli.json("backup", "create", tmp_path / "b", status=1)["error"]["code"] == "data-unusable"


@within(60)
async def test_a_backup_under_load_holds_everything_acknowledged_before():
    with ParleyServer(people=2) as server:
        alice, bob = server.person(), server.person()
        client = await RawClient("127.0.0.1", server.c2s_port).connect()
        await client.session(alice.name, alice.password)
        content = b"sealed" * 20000
        await upload(client, content)

        async def send(count: int) -> None:
            for _ in range(count):
                client.send(f"<message type='chat' to='{bob.address}'><body>hello</body></message>")
            await client.iq("get", "<ping xmlns='urn:xmpp:ping'/>", server.domain)

        await send(200)
        file = server.folder / "backup.tar"
        backup = asyncio.to_thread(server.run, "backup", "create", str(file), "--config", str(server.config))
        task = asyncio.ensure_future(backup)
        while not task.done():
            await send(20)
        await task
        refused = await asyncio.to_thread(_status, server, file)
        assert "uses" in refused
        server.run("backup", "verify", str(file))
        server.stop()
        shutil.rmtree(server.data)
        restored = json.loads(server.run("backup", "restore", str(file), "--config", str(server.config), "--json"))
        assert restored["messages"] >= 200
        assert restored["contents"] == 1
        server.start()
        again = await RawClient("127.0.0.1", server.c2s_port).connect()
        await again.session(bob.name, bob.password)


def _status(server: ParleyServer, file: Path) -> str:
    try:
        server.run("backup", "restore", str(file), "--force", "--config", str(server.config))
    except Exception as error:
        return str(error)
    return ""
