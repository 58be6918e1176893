"""Service administration by commands, for the people whom the settings name as administrators."""

from __future__ import annotations

from parley.edges.xmpp.commands.service_administration import COMMANDS
from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0133",
    name="Service Administration",
    version="1.2.1",
    status="what the command line does; nothing that shows passwords or whom people know",
    commands=COMMANDS,
)
