"""Prosody (Debian) as a partner, each scene in a network of its own with real DNS and a private authority."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.peers.federation_scenes import SCENES

ROOT = Path(__file__).parent.parent.parent
MISSING = [program for program in ("prosody", "unshare", "ip") if shutil.which(program) is None]


def _may_unshare() -> bool:
    if MISSING:
        return False
    return subprocess.run(["unshare", "-n", "-m", "true"], check=False, capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(not MISSING and not _may_unshare(), reason="not allowed: network namespaces"),
    pytest.mark.xdist_group("prosody"),
]


@pytest.mark.parametrize("name", SCENES)
def test_scene(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "-n", "-m", sys.executable, "-m", "tests.peers.federation_scenes", name, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tools'}"},
        timeout=180,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
