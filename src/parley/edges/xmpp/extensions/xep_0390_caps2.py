"""Entity capabilities, second version: the server's own. Those of others are read in `xep_0115_caps.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extension import Extension
from parley.edges.xmpp.extensions.xep_0030_disco import ServerInfo
from parley.protocols.xmpp.caps2 import NS_CAPS2, caps2_to_bytes, hash_of

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host

# XEP-0300 §4: these two MUST be there.
_ALGORITHMS: Final = ("sha-256", "sha3-256")


class _Announcement:
    """The element in the stream's features, made once: every stream has it."""

    def __init__(self, host: Host) -> None:
        self.hashes = tuple(hash_of(host.memory(ServerInfo).info, algorithm) for algorithm in _ALGORITHMS)
        self.element = caps2_to_bytes(self.hashes)


def _stream_features(host: Host, is_authenticated: bool) -> bytes:
    return host.memory(_Announcement).element if is_authenticated else b""


EXTENSION = Extension(
    spec="XEP-0390",
    name="Entity Capabilities 2.0",
    version="0.3.2",
    server_features=(NS_CAPS2,),
    stream_features=_stream_features,
)
