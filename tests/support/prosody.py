"""Prosody (Debian) as a partner's server, in a scratch folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_START_S = 30.0

CONFIG = """
run_as_root = true
daemonize = false
pidfile = "{folder}/prosody.pid"
data_path = "{folder}"
admin_socket = "{folder}/prosody.sock"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {c2s_port} }}
s2s_ports = {{ {s2s_port} }}
log = {{ debug = "{folder}/prosody.log" }}
limits = {{ }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
s2s_secure_auth = {is_secure}
authentication = "internal_hashed"
password_hash = "SHA-256"
archive_expires_after = "never"
modules_enabled = {{
    "roster"; "saslauth"; "tls"; "dialback"; "disco"; "carbons"; "smacks"; "mam"; "pep"; "ping"; "version";
    "presence"; "message"; "iq"; "offline"; "s2s_bidi";
}}
ssl = {{ certificate = "{certificate}"; key = "{key}"; cafile = "{ca_file}" }}
VirtualHost "{domain}"
Component "conference.{domain}" "muc"
    modules_enabled = {{ "muc_mam" }}
    restrict_room_creation = false
    muc_room_default_public = true
"""


class Prosody:
    """A context manager: entered, it takes connections. Accounts are made by `add`."""

    def __init__(
        self, folder: Path, domain: str, files: tuple[Path, Path], ca_file: Path, *, is_secure: bool = True
    ) -> None:
        self.folder = folder / f"prosody-{domain}"
        self.domain = domain
        self.c2s_port, self.s2s_port = 15222, 15269
        self._process: subprocess.Popen[bytes] | None = None
        self.folder.mkdir()
        self.config = self.folder / "prosody.cfg.lua"
        self.config.write_text(
            CONFIG.format(
                folder=self.folder,
                domain=domain,
                certificate=files[0],
                key=files[1],
                ca_file=ca_file,
                c2s_port=self.c2s_port,
                s2s_port=self.s2s_port,
                is_secure=str(is_secure).lower(),
            )
        )

    def add(self, name: str, password: str) -> None:
        """Make an account."""
        accounts = self.folder / self.domain.replace(".", "%2e").replace("-", "%2d") / "accounts"
        accounts.mkdir(parents=True, exist_ok=True)
        # Prosody turns the password into keys at the first sign-in.
        (accounts / f"{name}.dat").write_text(f'return {{ ["password"] = "{password}"; }};\n')

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until its ports are open."""
        program = shutil.which("prosody")
        assert program is not None
        self._process = subprocess.Popen(
            [program, "--config", str(self.config), "-F"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_S
        for port in (self.c2s_port, self.s2s_port):
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                assert time.monotonic() < deadline, self.log_tail()
                time.sleep(0.05)

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, sent)
            self._process.wait(20)
            self._process = None

    def log_tail(self, lines: int = 60) -> str:
        """What it logged last."""
        log = self.folder / "prosody.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
