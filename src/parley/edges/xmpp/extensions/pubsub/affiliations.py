"""Affiliations (XEP-0060 §4.1, §5.7, §8.9): the owner lists members and outcasts, others learn what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.nodes import Affiliation, Node
from parley.edges.xmpp.extensions.pubsub.asked import node_of, owner_of
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.edges.xmpp.extensions.pubsub.refusals import unsupported
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_PUBSUB, NS_PUBSUB_OWNER

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.edges.xmpp.extension import IqRequest

_AFFILIATION: Final = f"{{{NS_PUBSUB_OWNER}}}affiliation"
# XEP-0060 §8.9.2: each has a feature that tells whether it is there.
_NOT_OFFERED: Final = frozenset({"publisher", "publish-only"})


async def get_own(request: IqRequest, asked: _Element) -> bytes:
    """What the asking account is to the nodes here, or to the one named (§5.7)."""
    owner, asker = owner_of(request), str(request.asker)
    if asked.get("node"):
        nodes = [await node_of(request, asked)]
    else:
        nodes = list((await request.host.memory(Nodes).of(owner.id)).values())
    known = [(node.name, _affiliation(node, owner.address, asker)) for node in nodes]
    parts = [
        xml("affiliation", {"node": name, "affiliation": affiliation.value})
        for name, affiliation in known
        if affiliation is not Affiliation.NONE
    ]
    return xml("pubsub", {"xmlns": NS_PUBSUB}, xml("affiliations", None, *parts))


async def get_all(request: IqRequest, asked: _Element) -> bytes:
    """All that have an affiliation with the node (§8.9.1)."""
    node = await node_of(request, asked)
    known = {owner_of(request).address: Affiliation.OWNER, **node.affiliations}
    return _list(NS_PUBSUB_OWNER, node.name, known)


async def change(request: IqRequest, asked: _Element) -> bytes | None:
    """Make members and outcasts of people, or forget them: all that is asked for or nothing (§8.9.2)."""
    node = await node_of(request, asked)
    owner = owner_of(request)
    entries = [
        (JID.parse(entry.get("jid", "")), entry.get("affiliation")) for entry in asked.iterchildren(_AFFILIATION)
    ]
    addresses = [str(jid.bare) for jid, _ in entries]
    if not entries or len(set(addresses)) != len(addresses):
        # §8.9.2.4: nobody is named twice.
        raise StanzaError(StanzaCondition.BAD_REQUEST, "each affiliation is given once")
    # An entry without the attribute changes nothing.
    wanted = {address: word for address, (_, word) in zip(addresses, entries, strict=True) if word is not None}
    for word in wanted.values():
        if word in _NOT_OFFERED:
            raise unsupported(f"{word}-affiliation")
    if any(not _may_be(owner.address, address, word) for address, word in wanted.items()):
        _refuse(request, node, {address: _affiliation(node, owner.address, address) for address in addresses})
        return None
    changes = {address: Affiliation(word) for address, word in wanted.items() if address != owner.address}
    await request.host.memory(Nodes).affiliate(owner.id, node.name, changes)
    return b""


def _may_be(owner: str, address: str, word: str) -> bool:
    # The account is the one owner, for ever.
    if address == owner:
        return word == Affiliation.OWNER
    return word in (Affiliation.MEMBER, Affiliation.OUTCAST, Affiliation.NONE)


def _affiliation(node: Node, owner: str, address: str) -> Affiliation:
    return Affiliation.OWNER if address == owner else node.affiliations.get(address, Affiliation.NONE)


def _refuse(request: IqRequest, node: Node, unchanged: dict[str, Affiliation]) -> None:
    # §8.9.2.4: what is not returned counts as changed.
    error = StanzaError(StanzaCondition.NOT_ACCEPTABLE, "nothing was changed")
    attrs = {"type": "error", "id": request.element.id, "from": str(request.to), "to": str(request.sender)}
    request.origin.answer(xml("iq", attrs, _list(NS_PUBSUB_OWNER, node.name, unchanged), error.to_bytes()))


def _list(namespace: str, name: str, known: dict[str, Affiliation]) -> bytes:
    parts = [xml("affiliation", {"jid": jid, "affiliation": each.value}) for jid, each in known.items()]
    return xml("pubsub", {"xmlns": namespace}, xml("affiliations", {"node": name}, *parts))
