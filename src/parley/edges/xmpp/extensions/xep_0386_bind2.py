"""Binding a resource together with signing in; `edges/xmpp/clients/bind2.py` does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.clients.binding import Installations
from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.bind2 import feature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host


def _inline_features(host: Host, _channel_bindings: Mapping[str, bytes]) -> bytes:
    namespaces = {namespace for extension in host.extensions for namespace, _name in extension.bind_features}
    return feature(sorted(namespaces))


def _ended(host: Host, session: Session) -> None:
    host.memory(Installations).ended(session)


EXTENSION = Extension(
    spec="XEP-0386",
    name="Bind 2",
    version="1.1.0",
    status="complete; an installation with an id gets the same resource each time",
    inline_features=_inline_features,
    on_ended=_ended,
)
