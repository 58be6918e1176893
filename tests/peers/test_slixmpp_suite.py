"""slixmpp's own integration tests, as its authors ship them: every one of them passes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from lxml import etree

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / ".venv" / "peer-sources"
ARCHIVES = sorted(SOURCES.glob("slixmpp-*.tar.gz"))
TESTS = 39
"""How many there are in this release: a test that is not found must not count as one that passes."""
SUITE_S = 600


def may_unshare() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "-m", "true"], check=False, capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ARCHIVES, reason="the sources of slixmpp were not fetched (make peers)"),
    pytest.mark.skipif(not may_unshare(), reason="network namespaces cannot be made here"),
]


def test_every_test_of_slixmpp_passes(tmp_path: Path) -> None:
    with tarfile.open(ARCHIVES[-1]) as archive:
        archive.extractall(tmp_path, filter="data")
    (sources,) = tmp_path.glob("slixmpp-*")
    # The library under these tests is the one that is installed, which has its compiled parts.
    shutil.rmtree(sources / "slixmpp")
    reports = tmp_path / "reports"
    reports.mkdir()
    command = ["unshare", "-n", "-m", sys.executable, "-m", "tests.peers.slixmpp_suite", str(sources), str(reports)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=SUITE_S)
    assert done.returncode == 0, done.stderr
    passed, trouble = 0, []
    for tests in sorted(sources.glob("itests/test_*.py")):
        report = reports / f"{tests.stem}.xml"
        if not report.exists():
            trouble.append(f"{tests.stem}: took too long")
            continue
        for case in etree.parse(report).iter("testcase"):
            if len(case):
                trouble.append(f"{tests.stem} {case.get('name')}: {case[0].tag}: {case[0].get('message')}")
            else:
                passed += 1
    print(f"\n{passed} of slixmpp's own tests passed")
    log = (reports / "server.log").read_text(errors="replace").splitlines()
    assert not trouble, "\n".join([*trouble, "", *log[-40:]])
    assert passed == TESTS
