"""What a server says on a client's stream besides stanzas: its header, the features of the core protocol, the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from parley.protocols.xmpp import namespaces as ns
from parley.protocols.xmpp.builder import attribute, xml

_OPEN: Final = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en'"
)

BINDING: Final = xml("bind", {"xmlns": ns.NS_BIND}, xml("required", None)) + xml(
    "session", {"xmlns": ns.NS_SESSION}, xml("optional", None)
)
"""A resource is to be bound. RFC 6121 left session establishment out; old clients ask for it unless told not to."""


def header(attrs: Mapping[str, str], *, is_framed: bool) -> bytes:
    """The header (RFC 6120 §4.7, RFC 7395 §3.4) with `attrs` besides version and language."""
    if is_framed:
        return xml("open", {"xmlns": ns.NS_FRAMING, **attrs, "version": "1.0", "xml:lang": "en"})
    return _OPEN + b"".join(b' %b="%b"' % (name.encode(), attribute(value)) for name, value in attrs.items()) + b">"


def end(*, is_framed: bool) -> bytes:
    """What closes a stream (RFC 6120 §4.4, RFC 7395 §3.6)."""
    return xml("close", {"xmlns": ns.NS_FRAMING}) if is_framed else b"</stream:stream>"


def starttls(*, is_required: bool) -> bytes:
    """TLS may be negotiated, or must be before anything else (RFC 6120 §5.3.1)."""
    required = [xml("required", None)] if is_required else []
    return xml("starttls", {"xmlns": ns.NS_TLS}, *required)


def mechanisms(names: Iterable[str]) -> bytes:
    """How to sign in (RFC 6120 §6.4.1), the one preferred first."""
    return xml("mechanisms", {"xmlns": ns.NS_SASL}, *(xml("mechanism", None, name) for name in names))


def channel_bindings(names: Iterable[str]) -> bytes:
    """Which channel bindings there are (XEP-0440 §2), next to the mechanisms of either profile."""
    kinds = [xml("channel-binding", {"type": name}) for name in names]
    return xml("sasl-channel-binding", {"xmlns": ns.NS_SASL_CHANNEL_BINDING}, *kinds)
