"""Tokens to sign in with in one step; `identity/tokens.py` makes them, `../clients/inline.py` hands them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.fast import feature, offered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parley.edges.xmpp.host import Host


def _inline_features(host: Host, channel_bindings: Mapping[str, bytes]) -> bytes:
    return feature(offered(channel_bindings)) if host.settings.login.token_lifetime_days else b""


EXTENSION = Extension(
    spec="XEP-0484",
    name="Fast Authentication Streamlining Tokens",
    version="0.2.0",
    status="complete but for TLS 0-RTT, which is not offered",
    inline_features=_inline_features,
)
