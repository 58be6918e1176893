"""Prosody as a peer to measure against: a process of its own in a scratch folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.server import START_S, Person, ServerFailedError, free_ports

CONFIG = """
run_as_root = true; daemonize = false
pidfile = "{folder}/prosody.pid"; data_path = "{folder}/data"; admin_socket = "{folder}/prosody.sock"
log = {{ warn = "{folder}/prosody.log" }}
modules_enabled = {{ "roster", "saslauth", "disco", "smacks", "carbons"{archive} }}
modules_disabled = {{ "s2s", "tls" }}
allow_unencrypted_plain_auth = true; c2s_require_encryption = false; authentication = "internal_plain"
archive_expires_after = "never"; default_archive_policy = true; limits = {{}}; smacks_max_unacked_stanzas = 0
storage = {{ archive = "sql" }}; sql = {{ driver = "SQLite3", database = "{folder}/prosody.sqlite" }}
c2s_ports = {{ {port} }}; c2s_interfaces = {{ "127.0.0.1" }}
VirtualHost "localhost"
"""


class Prosody:
    """A context manager: entered, it listens."""

    def __init__(self, *, has_archive: bool, people: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="parley-prosody-"))
        (self.c2s_port,) = free_ports(1)
        self._has_archive = has_archive
        self.people = [Person(f"person{number}@localhost", f"secret-{number}") for number in range(people)]
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def version() -> str | None:
        """Name and version as Debian tells them; None when it is not installed."""
        command = ["dpkg-query", "-W", "-f", "${Version}", "prosody"]
        if shutil.which("prosody") is None or shutil.which(command[0]) is None:
            return None
        found = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        return f"prosody {found.partition('-')[0]}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        accounts = self.folder / "data" / "localhost" / "accounts"
        accounts.mkdir(parents=True)
        for person in self.people:
            (accounts / f"{person.name}.dat").write_text(f'return {{ ["password"] = "{person.password}"; }};')
        config = self.folder / "prosody.cfg.lua"
        archive = ', "mam"' if self._has_archive else ""
        config.write_text(CONFIG.format(folder=self.folder, port=self.c2s_port, archive=archive))
        self._process = subprocess.Popen(
            ["prosody", "--config", str(config), "-F"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(self.folder)},
            start_new_session=True,
        )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.c2s_port), 1):
                return self
            time.sleep(0.05)
        self.__exit__(None, None, None)
        raise ServerFailedError("Prosody did not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
