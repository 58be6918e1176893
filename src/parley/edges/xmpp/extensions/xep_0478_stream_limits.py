"""What a stream takes, told before anybody runs into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.namespaces import NS_STREAM_LIMITS

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host


def _features(host: Host, is_authenticated: bool) -> bytes:
    limits = host.settings.limits
    max_bytes = limits.max_stanza_bytes if is_authenticated else limits.max_stanza_bytes_unauthenticated
    idle_s = limits.idle_before_ping_s if is_authenticated else limits.handshake_timeout_s
    told = xml("max-bytes", None, str(max_bytes)), xml("idle-seconds", None, str(idle_s))
    return xml("limits", {"xmlns": NS_STREAM_LIMITS}, *told)


EXTENSION = Extension(
    spec="XEP-0478",
    name="Stream Limits Advertisement",
    version="0.2.0",
    stream_features=_features,
)
