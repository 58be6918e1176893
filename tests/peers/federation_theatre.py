"""Plays scenes in namespaces of their own: for the tests a process that is told a scene's name and says how it went.

`python -m tests.peers.federation_theatre PARTNER FOLDER` is that process. It says a line when it has begun. Then it
reads names, one a line, and answers each with a line: nothing when the scene went well, else a JSON string that tells
why not.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.peers.federation_scenes import SCENES
from tests.peers.federation_stage import PartnerServer, Stage, stage
from tests.support.ejabberd import Ejabberd
from tests.support.prosody import Prosody

ROOT = Path(__file__).parent.parent.parent
_SCENE_S = 120
_PARTNERS: dict[str, Callable[..., PartnerServer]] = {"prosody": Prosody, "ejabberd": Ejabberd}
_LINES_SHOWN = 60


def may_unshare() -> bool:
    """Whether this machine gives us networks of our own."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "-m", "true"], check=False, capture_output=True).returncode == 0


@contextmanager
def theatre(partner: str, folder: Path) -> Iterator[Callable[[str], None]]:
    """Plays scenes by name; a scene that goes wrong fails the test."""
    command = ["unshare", "-n", "-m", sys.executable, "-m", "tests.peers.federation_theatre", partner, str(folder)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tools'}"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    asked, answers = process.stdin, process.stdout

    def play(name: str) -> None:
        asked.write(f"{name}\n")
        asked.flush()
        answer = answers.readline()
        assert answer, f"the theatre burnt down, see {folder}"
        if answer.strip():
            pytest.fail(json.loads(answer), pytrace=False)

    try:
        assert answers.readline(), f"the theatre did not open, see {folder}"
        yield play
    finally:
        with contextlib.suppress(BrokenPipeError):
            asked.close()
        process.wait(60)
        answers.close()


async def _play(name: str, on: Stage) -> str:
    """How it went: "" for well."""
    try:
        async with asyncio.timeout(_SCENE_S):
            await SCENES[name](on)
    except Exception:
        # Whatever it is, it belongs to the scene: the test that asked for it shows it.
        log = "\n".join(on.parley.log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:])
        return f"{traceback.format_exc()}\n--- {on.partner.program}\n{on.partner.log_tail()}\n--- parley\n{log}"
    return ""


async def _open(partner: str, folder: Path) -> None:
    async with stage(folder, _PARTNERS[partner]) as on:
        print("", flush=True)
        while name := (await asyncio.to_thread(sys.stdin.readline)).strip():
            problem = await _play(name, on)
            print(json.dumps(problem) if problem else "", flush=True)


def main() -> None:
    """Take over the namespaces that `unshare -n -m` made, then play."""
    partner, folder = sys.argv[1], Path(sys.argv[2])
    logging.disable(logging.CRITICAL)
    resolv = folder / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.53\noptions timeout:1 attempts:2\n")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
    asyncio.run(_open(partner, folder))


if __name__ == "__main__":
    main()
