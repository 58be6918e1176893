"""Runs the browser scenarios of `e2e/`: a fresh server for each, Node.js with Chromium against it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.support.server import PROGRAM, ParleyServer, free_ports

ROOT = Path(__file__).resolve().parents[2]
E2E = Path(__file__).parent / "e2e"
DIST = Path(os.environ.get("PARLEY_WEB_DIST") or ROOT / "web" / "dist")
FIGURES = ROOT / "var" / "test"
CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
PASSWORD = "secret"
NAMES = ("alice", "bob", "carol")
# Scenarios take 10 to 40 s; a machine with other work to do may need much longer.
TIMEOUT_S = 300.0


def missing() -> str:
    """What the scenarios need and this machine lacks; empty when all is there."""
    wanted = {
        "node": shutil.which("node"),
        "chromium": os.access(CHROMIUM, os.X_OK),
        "espeak-ng": shutil.which("espeak-ng"),
        "sox": shutil.which("sox"),
        "playwright-core (make setup)": (ROOT / "web" / "node_modules" / "playwright-core").is_dir(),
        "web/dist (make web)": (DIST / "index.html").is_file(),
    }
    return ", ".join(name for name, found in wanted.items() if not found)


def play(
    scenario: str, folder: Path, *, settings: Mapping[str, Sequence[str]] | None = None, timeout_s: float = TIMEOUT_S
) -> dict[str, object]:
    """Run `e2e/SCENARIO.mjs` to its end and return the figures that it reports, also kept in `var/test`.

    The scenario talks to the server through a TCP proxy of its own, which cuts and slows down lines. It may ask for
    what only this side can do by a line on its standard output: see `_obey`.

    Args:
        scenario: name of the script.
        folder: for profiles, recordings and screenshots.
        settings: lines of TOML for the server, by section.
    """
    if lacking := missing():
        pytest.skip(f"not installed: {lacking}")
    (proxy_port,) = free_ports(1)
    web = {"http": [f'web_dir = "{DIST}"'], **(settings or {})}
    with ParleyServer(web, people=1, public_url=f"http://localhost:{proxy_port}") as server:
        accounts = "".join(f"{name}@{server.domain},{PASSWORD}\n" for name in NAMES)
        server.run("user", "import", "-", "--config", str(server.config), given=accounts)
        terms = {
            "origin": server.public_url,
            "proxyPort": proxy_port,
            "httpPort": server.http_port,
            "c2sPort": server.c2s_port,
            "folder": str(folder),
            "data": str(server.data),
            "config": str(server.config),
            "program": PROGRAM,
            "python": sys.executable,
            "chromium": CHROMIUM,
            "dist": str(DIST),
            "password": PASSWORD,
        }
        return _run(scenario, terms, server, timeout_s)


def _run(scenario: str, terms: Mapping[str, object], server: ParleyServer, timeout_s: float) -> dict[str, object]:
    process = subprocess.Popen(
        ["node", str(E2E / f"{scenario}.mjs")],
        cwd=ROOT,
        env={**os.environ, "PARLEY_STAGE": json.dumps(terms), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said: list[str] = []
    figures: dict[str, object] = {}
    try:
        for line in _lines(process, timeout_s):
            if line.startswith("ask: "):
                _obey(server, line.removeprefix("ask: "))
                _answer(process)
            elif line.startswith("figures: "):
                figures.update(json.loads(line.removeprefix("figures: ")))
            else:
                said.append(line)
    finally:
        # Its browsers are in its process group.
        _end(process)
    output = "\n".join(said)
    if process.returncode != 0:
        pytest.fail(f"{scenario} ended with {process.returncode}\n{output}\n-- server --\n{server.log_tail()}", False)
    print(output, json.dumps(figures), sep="\n")
    if figures:
        FIGURES.mkdir(parents=True, exist_ok=True)
        (FIGURES / f"web-{scenario}.json").write_text(json.dumps(figures, indent=2) + "\n")
    return figures


def _obey(server: ParleyServer, wish: str) -> None:
    """Do what a scenario asks for: `kill`, `stop` or `start` the server."""
    {"kill": server.kill, "stop": server.stop, "start": server.start}[wish]()


def _answer(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("done\n")
    process.stdin.flush()


def _lines(process: subprocess.Popen[str], timeout_s: float) -> Iterator[str]:
    """What the process says, line by line, until it ends or the time is over."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            yield f"not done after {timeout_s:.0f} s"
            return
        if line is None:
            process.wait(10)
            return
        yield line


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
