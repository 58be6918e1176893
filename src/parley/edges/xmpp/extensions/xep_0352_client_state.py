"""Clients that nobody looks at: `edges/xmpp/clients/holding.py` says what they are not woken for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.namespaces import NS_CSI

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element


def _stream_features(_host: Host, is_authenticated: bool) -> bytes:
    return xml("csi", {"xmlns": NS_CSI}) if is_authenticated else b""


def _inactive(_host: Host, session: Session, _element: Element) -> None:
    session.rest()


def _active(_host: Host, session: Session, _element: Element) -> None:
    # §5.1: what waited goes out before anything that the client asks for after this.
    session.wake()


EXTENSION = Extension(
    spec="XEP-0352",
    name="Client State Indication",
    version="1.0.0",
    stream_features=_stream_features,
    nonzas={(NS_CSI, "inactive"): _inactive, (NS_CSI, "active"): _active},
    # XEP-0386 §3.2: the session begins in the state that goes with binding.
    bind_features={(NS_CSI, "inactive"): _inactive, (NS_CSI, "active"): _active},
)
