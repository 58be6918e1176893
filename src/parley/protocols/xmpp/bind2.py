"""Binding a resource together with signing in (XEP-0386): its elements, read and written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.errors import JIDError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_BIND2

if TYPE_CHECKING:
    from lxml.etree import _Element


def feature(variables: Iterable[str]) -> bytes:
    """The inline feature of SASL2; `variables` name what can be enabled together with binding."""
    listed = [xml("feature", {"var": variable}) for variable in variables]
    return xml("bind", {"xmlns": NS_BIND2}, xml("inline", None, *listed))


def parse_tag(bind: _Element) -> str:
    """What the client would like to be called, "" when it does not say."""
    return (bind.findtext(f"{{{NS_BIND2}}}tag") or "").strip()


def full_address(bare: JID, tag: str, identifier: str) -> JID:
    """The address of a client: `TAG/IDENTIFIER` as its resource (§3.2.1), without a tag that cannot be part of one."""
    if tag:
        try:
            return bare.with_resource(f"{tag}/{identifier}")
        except JIDError:
            pass
    return bare.with_resource(identifier)


def bound(results: Iterable[bytes]) -> bytes:
    """`<bound/>` with what the enabled features answer."""
    return xml("bound", {"xmlns": NS_BIND2}, *results)
