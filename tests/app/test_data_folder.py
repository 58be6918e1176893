"""The data folder: one process at a time, a secret that stays, and nobody else's business."""

from __future__ import annotations

import os
import stat

import pytest

from parley.app.data_folder import KEY, DataFolder
from parley.app.errors import DataInUse, DataUnusable


def test_it_is_made_for_its_owner_only(tmp_path):
    with DataFolder(tmp_path / "a" / "data") as folder:
        folder.secret()
    assert stat.S_IMODE((tmp_path / "a" / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "data" / KEY).stat().st_mode) == 0o600


def test_one_at_a_time(tmp_path):
    with DataFolder(tmp_path), pytest.raises(DataInUse, match=rf"process {os.getpid()}"), DataFolder(tmp_path, 0):
        pass
    with DataFolder(tmp_path, 0):
        pass


def test_the_secret_stays(tmp_path):
    with DataFolder(tmp_path) as folder:
        secret = folder.secret()
        assert len(secret) == 32
        assert folder.secret() == secret
    with DataFolder(tmp_path) as folder:
        assert folder.secret() == secret


def test_a_secret_that_was_cut_off_is_refused(tmp_path):
    (tmp_path / KEY).write_bytes(b"short")
    with DataFolder(tmp_path) as folder, pytest.raises(DataUnusable, match="32 bytes"):
        folder.secret()


def test_a_file_in_its_place(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(DataUnusable), DataFolder(tmp_path / "data"):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files that the owner cannot use")
def test_what_root_makes_is_the_owners(tmp_path):
    os.chown(tmp_path, 12345, 12345)
    (tmp_path / "elsewhere").write_text("")
    with DataFolder(tmp_path) as folder:
        folder.secret()
        (tmp_path / "blobs" / "ab").mkdir(parents=True)
        (tmp_path / "blobs" / "ab" / "link").symlink_to("/etc/hostname")
    owners = {path.lstat().st_uid for path in tmp_path.rglob("*")}
    assert owners == {12345}
    assert os.stat("/etc").st_uid == 0


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path):
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataUnusable), DataFolder(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()
