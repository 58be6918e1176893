"""ejabberd (Debian) as a partner's server, in a scratch folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.partner import C2S_PORT, HTTP_PORT, PASSWORD, S2S_PORT, ServedDomain

_START_S = 90.0


def is_installed() -> bool:
    """Whether there is an ejabberd to start."""
    return shutil.which("erl") is not None and any(_libraries().glob("ejabberd-*"))


class Ejabberd:
    """A context manager: entered, it takes connections."""

    program = "ejabberd"

    def __init__(self, folder: Path, domains: Sequence[ServedDomain], ca_file: Path) -> None:
        self.folder = folder / "ejabberd"
        self.c2s_port, self.s2s_port = C2S_PORT, S2S_PORT
        self._process: subprocess.Popen[bytes] | None = None
        self.folder.mkdir()
        # Every JSON document is a YAML document.
        (self.folder / "ejabberd.yml").write_text(json.dumps(self._settings(domains, ca_file)))
        accounts = "".join(
            f'ejabberd_auth:try_register(<<"{name}">>, <<"{each.domain}">>, <<"{PASSWORD}">>).\n'
            for each in domains
            for name in each.people
        )
        self._ready = self.folder / "ready"
        (self.folder / "ready.erl").write_text(f'{accounts}file:write_file("{self._ready}", <<>>).\n')

    def _settings(self, domains: Sequence[ServedDomain], ca_file: Path) -> dict[str, object]:
        certificates = []
        for each in domains:
            both = self.folder / f"{each.domain}.pem"
            both.write_text("".join(path.read_text() for path in each.files))
            certificates.append(str(both))
        shared: dict[str, object] = {name: {} for name in ("mod_roster", "mod_disco", "mod_carboncopy", "mod_version")}
        shared |= {"mod_ping": {}, "mod_offline": {}, "mod_push": {}, "mod_stream_mgmt": {}}
        services = {
            "mod_muc": {"default_room_options": {"persistent": False}},
            "mod_http_upload": {
                "access": "all",
                "put_url": f"http://127.0.0.1:{HTTP_PORT}/upload",
                "docroot": str(self.folder),
            },
        }
        dialback = {"mod_s2s_dialback": {}}
        listener = {"ip": "127.0.0.1", "shaper": "none"}
        return {
            "hosts": [each.domain for each in domains],
            "loglevel": "debug",
            "log_rotate_size": "infinity",
            "certfiles": certificates,
            "ca_file": str(ca_file),
            "s2s_cafile": str(ca_file),
            "s2s_use_starttls": "required",
            "s2s_max_retry_delay": "1 second",
            "outgoing_s2s_families": ["ipv4"],
            "auth_method": "internal",
            "listen": [
                {**listener, "port": C2S_PORT, "module": "ejabberd_c2s", "starttls": False},
                {**listener, "port": S2S_PORT, "module": "ejabberd_s2s_in"},
                {
                    **{"ip": "127.0.0.1", "port": HTTP_PORT, "module": "ejabberd_http"},
                    "request_handlers": {"/upload": "mod_http_upload"},
                },
            ],
            "modules": shared,
            "append_host_config": {
                each.domain: {
                    "modules": (services if each.has_services else {}) | (dialback if each.is_dialback else {})
                }
                for each in domains
                if each.has_services or each.is_dialback
            },
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until its accounts are there."""
        self._ready.unlink(missing_ok=True)
        command = [
            *("erl", "+K", "true", "+S", "1:1", "+SDcpu", "1:1", "+SDio", "1"),
            *("+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"),
            *("-mnesia", "dir", f'"{self.folder}/mnesia"', "-noinput", "-s", "ejabberd"),
            *("-eval", f'ok = file:eval("{self.folder}/ready.erl").'),
        ]
        environment = {
            "HOME": str(self.folder),
            "ERL_LIBS": str(_libraries()),
            "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
            "ERL_CRASH_DUMP_BYTES": "0",
        }
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not self._ready.exists():
            assert self._process.poll() is None, self.log_tail()
            assert time.monotonic() < deadline, self.log_tail()
            time.sleep(0.05)

    def stop(self, sent: signal.Signals = signal.SIGKILL) -> None:
        """End it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, sent)
            self._process.wait(20)
            self._process = None

    def log_tail(self, lines: int = 60) -> str:
        """What it logged last."""
        texts = [
            path.read_text(errors="replace")
            for path in (self.folder / "output", self.folder / "ejabberd.log")
            if path.exists()
        ]
        return "\n".join("\n".join(texts).splitlines()[-lines:])


def _libraries() -> Path:
    found = sorted(Path("/usr/lib").glob("*/ejabberd-*"))
    return found[0].parent if found else Path("/usr/lib")
