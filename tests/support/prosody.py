"""Prosody (Debian) as a partner's server, in a scratch folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.partner import C2S_PORT, HTTP_PORT, PASSWORD, S2S_PORT, ServedDomain

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
http_ports = {{ {http_port} }}
https_ports = {{ }}
log = {{ debug = "{folder}/prosody.log" }}
limits = {{ }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_hashed"
password_hash = "SHA-256"
archive_expires_after = "never"
modules_enabled = {{
    "roster"; "saslauth"; "tls"; "dialback"; "disco"; "carbons"; "smacks"; "mam"; "pep"; "ping"; "version";
    "presence"; "message"; "iq"; "offline"; "s2s_bidi"; {more}
}}
"""
# In the package of modules that others keep; an installation without it has no push.
CLOUD_NOTIFY = Path("/usr/lib/prosody/modules/mod_cloud_notify")
HOST = """
VirtualHost "{domain}"
    s2s_secure_auth = {is_secure}
    ssl = {{ certificate = "{certificate}"; key = "{key}"; cafile = "{ca_file}" }}
"""
SERVICES = """
Component "conference.{domain}" "muc"
    ssl = {{ certificate = "{certificate}"; key = "{key}"; cafile = "{ca_file}" }}
    s2s_secure_auth = {is_secure}
    modules_enabled = {{ "muc_mam" }}
    restrict_room_creation = false
    muc_room_default_public = true
Component "upload.{domain}" "http_file_share"
    http_host = "127.0.0.1"
    http_external_url = "http://127.0.0.1:{http_port}/"
"""


class Prosody:
    """A context manager: entered, it takes connections."""

    program = "prosody"

    def __init__(self, folder: Path, domains: Sequence[ServedDomain], ca_file: Path) -> None:
        self.folder = folder / "prosody"
        self.domain = domains[0].domain
        self.c2s_port, self.s2s_port = C2S_PORT, S2S_PORT
        self._process: subprocess.Popen[bytes] | None = None
        self.folder.mkdir()
        more = '"cloud_notify";' if CLOUD_NOTIFY.exists() else ""
        text = CONFIG.format(folder=self.folder, c2s_port=C2S_PORT, s2s_port=S2S_PORT, http_port=HTTP_PORT, more=more)
        for each in domains:
            template = HOST + SERVICES if each.has_services else HOST
            text += template.format(
                domain=each.domain,
                is_secure=str(not each.is_dialback).lower(),
                certificate=each.files[0],
                key=each.files[1],
                ca_file=ca_file,
                http_port=HTTP_PORT,
            )
            for name in each.people:
                self.add(name, PASSWORD, each.domain)
        self.config = self.folder / "prosody.cfg.lua"
        self.config.write_text(text)

    def add(self, name: str, password: str, domain: str = "") -> None:
        """Make an account, at the first domain unless told."""
        accounts = self.folder / (domain or self.domain).replace(".", "%2e").replace("-", "%2d") / "accounts"
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
