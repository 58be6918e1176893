"""What `make web` builds anew, asked of make without running anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD_S, BUILT_S, NEW_S = 1_000_000_000, 1_000_000_100, 1_000_000_200
SOURCES = ("web/index.html", "web/src/main.ts", "web/src/client/client.ts", "web/src/client/client.test.ts")


@pytest.fixture
def tree(tmp_path):
    """A web app that was built after its last change."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "web/public").mkdir(parents=True)
    made = (".venv/stamps/venv", "web/package.json", "web/package-lock.json", "web/.npmrc", "web/node_modules/.stamp")
    for name in (*made, *SOURCES, "web/dist/index.html"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for path in tmp_path.rglob("*"):
        os.utime(path, (OLD_S, OLD_S))
    os.utime(tmp_path / "web/dist/index.html", (BUILT_S, BUILT_S))
    return tmp_path


def is_stale(tree: Path) -> bool:
    status = subprocess.run(["make", "-q", "web"], cwd=tree, check=False, capture_output=True).returncode
    assert status in (0, 1)
    return status == 1


def test_what_was_built_is_not_built_again(tree):
    assert not is_stale(tree)


@pytest.mark.parametrize("name", SOURCES[:3])
def test_a_changed_source_is_built(tree, name):
    os.utime(tree / name, (NEW_S, NEW_S))
    assert is_stale(tree)


def test_a_changed_unit_test_is_not(tree):
    os.utime(tree / SOURCES[3], (NEW_S, NEW_S))
    assert not is_stale(tree)


@pytest.mark.parametrize("name", SOURCES[1:3])
def test_a_deleted_source_is_missed(tree, name):
    (tree / name).unlink()
    assert is_stale(tree)
