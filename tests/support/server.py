"""A real server in its own process: set up in a scratch folder, started, killed, restarted on the same data."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

PROGRAM = os.environ.get("PARLEY_PROGRAM") or str(Path(sys.executable).with_name("parley"))
START_S = 90.0
STOP_S = 30.0
LOG_LINES_SHOWN = 60
# Below the ports that the kernel gives to outgoing connections, which would else be found taken at a restart. Each
# worker of a run has its own: between finding a port free and listening there, seconds may pass.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
PORTS = range(20000 + 3000 * WORKER, 23000 + 3000 * WORKER)


class ServerFailedError(Exception):
    """The server did not start or stop as it should; the message ends with its log."""


@dataclass(frozen=True, slots=True)
class Person:
    """An account."""

    address: str
    password: str

    @property
    def name(self) -> str:
        return self.address.partition("@")[0]


class ParleyServer:
    """A context manager. Entered, the server is ready; left, it is stopped and its folder removed.

    Args:
        settings: lines of TOML by section ("" for the top), on top of what the ports need.
        domain: what it serves.
        people: how many accounts to make, for `person` to hand out.
        public_url: under which clients reach it, when that is not its own address.
        wrapper: a program to run the server under, such as strace.
        is_measured: whether coverage may follow the process; it slows the server down.
    """

    def __init__(
        self,
        settings: Mapping[str, Sequence[str]] | None = None,
        *,
        domain: str = "localhost",
        people: int = 8,
        public_url: str = "",
        wrapper: Sequence[str] = (),
        is_measured: bool = False,
    ) -> None:
        self.domain = domain
        self.settings = settings or {}
        self.public_url = public_url
        self.wrapper = wrapper
        self.folder = Path(tempfile.mkdtemp(prefix="parley-test-"))
        self.process: subprocess.Popen[bytes] | None = None
        self.c2s_port, self.tls_port, self.http_port = free_ports(3)
        self._people = [Person(f"person{number}@{domain}", f"secret-{number}") for number in range(people)]
        self._unused = iter(self._people)
        self._numbers = itertools.count(1)
        self._environment = {
            name: value for name, value in os.environ.items() if is_measured or not name.startswith("COVERAGE_PROCESS")
        }

    @property
    def config(self) -> Path:
        return self.folder / "home" / "parley.toml"

    @property
    def data(self) -> Path:
        return self.folder / "home" / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def __enter__(self) -> Self:
        try:
            self.set_up()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                print(self.log_tail(), file=sys.stderr)
            self.stop()
        finally:
            self._remove()

    def set_up(self) -> None:
        """Write configuration, certificate and accounts."""
        self.run("init", str(self.config.parent), "--domain", self.domain)
        self.config.write_text(self._settings_text())
        lines = io.StringIO()
        csv.writer(lines).writerows((person.address, person.password) for person in self._people)
        self.run("user", "import", "-", "--config", str(self.config), given=lines.getvalue())

    def person(self) -> Person:
        """An account that nobody has used yet."""
        return next(self._unused)

    def run(self, *arguments: str, given: str = "") -> str:
        """Run a command to its end and return its standard output."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            check=False,
            input=given,
            capture_output=True,
            text=True,
            env=self._environment,
            timeout=120,
        )
        if done.returncode != 0:
            raise ServerFailedError(f"parley {' '.join(arguments)}: status {done.returncode}\n{done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Start the process and return when it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, PROGRAM, "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not self.is_ready():
            if self.process.poll() is not None:
                raise ServerFailedError(f"the server ended with {self.process.returncode}\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServerFailedError(f"the server was not ready in {START_S} s\n{self.log_tail()}")
            time.sleep(0.02)

    def is_ready(self) -> bool:
        """Whether `/health/ready` answers 200."""
        # HTTPError, raised for every status from 400 on, is an OSError.
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{self.http}/health/ready", timeout=5) as answer,
        ):
            return bool(answer.status == 200)
        return False

    @property
    def pid(self) -> int:
        """The server's process id, also when it runs under another program."""
        assert self.process is not None
        if not self.wrapper:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def kill(self) -> None:
        """SIGKILL: no chance to say or store anything."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Start again on the same data and the same ports, after `kill` if it still runs."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """SIGTERM and wait.

        Raises:
            ServerFailedError: it did not end in time, or not with status 0.
        """
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        try:
            status = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            tail = self.log_tail()
            self.kill()
            raise ServerFailedError(f"the server did not stop in {STOP_S} s\n{tail}") from None
        self.process = None
        if status != 0:
            raise ServerFailedError(f"the server stopped with status {status}\n{self.log_tail()}")

    def rss_kib(self) -> int:
        """Resident memory of the server."""
        return rss_kib(self.pid)

    def log_tail(self) -> str:
        """The last lines that the server logged."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_LINES_SHOWN:])

    def _settings_text(self) -> str:
        sections: dict[str, list[str]] = {
            "": [f'domains = ["{self.domain}"]'],
            "http": [f'listen = ["127.0.0.1:{self.http_port}"]', f'public_url = "{self.public_url or self.http}"'],
            "tls": ['certificate = "certs/fullchain.pem"', 'private_key = "certs/key.pem"'],
            "xmpp": [
                f'c2s = ["127.0.0.1:{self.c2s_port}"]',
                f'c2s_tls = ["127.0.0.1:{self.tls_port}"]',
                "require_tls = false",
            ],
            "login": ["scram_iterations = 4096"],
        }
        for name, lines in self.settings.items():
            sections.setdefault(name, []).extend(lines)
        return "\n".join("\n".join([f"[{name}]" if name else "", *lines]) for name, lines in sections.items()) + "\n"

    def _remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens at."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise ServerFailedError("no port is free")


def rss_kib(pid: int) -> int:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)
