"""What the log shows of streams at level trace: stanzas as they are, but for those that hold credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host


class Transcripts:
    """Knows which namespaces are secret, by what extensions declare."""

    def __init__(self, host: Host) -> None:
        self._secrets = tuple(name.encode() for extension in host.extensions for name in extension.secret_namespaces)

    def shown(self, data: bytes) -> str:
        """An element as the log may have it: a size instead of one that names a secret namespace."""
        if any(name in data for name in self._secrets):
            return hidden(data)
        return data.decode(errors="replace")


def hidden(data: bytes) -> str:
    """An element of which the log has no word."""
    return f"{len(data)} bytes"
