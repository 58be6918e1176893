"""Running servers for plays: Parley in a process of its own, and Debian's Prosody."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.support.prosody import Prosody
from tests.support.server import ParleyServer, Person, free_ports
from tests.transcripts.on_sockets import PASSWORD, PEOPLE
from tests.transcripts.play import DOMAIN

SETTINGS: Final = {
    "limits": ["sm_resume_timeout_s = 60", "max_connections_per_address = 1000"],
    "login": ['hashes = ["SHA-1"]'],
}
PROSODY: Final = """
run_as_root = true; daemonize = false; use_libevent = false
pidfile = "{folder}/prosody.pid"; data_path = "{folder}"; admin_socket = "{folder}/prosody.sock"
log = {{ debug = "{folder}/prosody.log" }}
interfaces = {{ "127.0.0.1" }}; c2s_ports = {{ {c2s_port} }}; http_ports = {{ {http_port} }}; https_ports = {{ }}
c2s_require_encryption = false; allow_unencrypted_plain_auth = true; authentication = "internal_plain"
limits = {{ }}; archive_expires_after = "never"; default_archive_policy = true; smacks_hibernation_time = 60
modules_disabled = {{ "s2s", "tls" }}
modules_enabled = {{
    "adhoc"; "blocklist"; "bookmarks"; "carbons"; "csi"; "csi_simple"; "disco"; "lastactivity"; "mam"; "pep"; "ping";
    "private"; "roster"; "saslauth"; "smacks"; "time"; "uptime"; "vcard"; "version";
}}
VirtualHost "{domain}"
Component "conference.{domain}" "muc"
    modules_enabled = {{ "muc_mam" }}
Component "pubsub.{domain}" "pubsub"
    add_permissions = {{ ["prosody:registered"] = {{ "pubsub:create-node" }} }}
Component "upload.{domain}" "http_file_share"
"""


class PlayedParley(ParleyServer):
    """Parley with the people of numbered scenes."""

    def __init__(self, numbers: Iterable[int]) -> None:
        super().__init__(SETTINGS, domain=DOMAIN, people=0, is_measured=True)
        self._people = [Person(f"{name}{number}@{DOMAIN}", PASSWORD) for number in numbers for name in PEOPLE]


class PlayedProsody(Prosody):
    """Prosody with the people of numbered scenes, and every module that a play asks for."""

    def __init__(self, folder: Path, numbers: Iterable[int]) -> None:
        self.folder = folder
        self.domain = DOMAIN
        self.c2s_port, http_port = free_ports(2)
        self.s2s_port = self.c2s_port
        self._process = None
        self.config = folder / "prosody.cfg.lua"
        self.config.write_text(
            PROSODY.format(folder=folder, domain=DOMAIN, c2s_port=self.c2s_port, http_port=http_port)
        )
        for number in numbers:
            for name in PEOPLE:
                self.add(f"{name}{number}", PASSWORD)
