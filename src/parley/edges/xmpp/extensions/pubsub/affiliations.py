"""Affiliations (XEP-0060 §4.1, §5.7, §8.9): owners say what people are to a node, others learn what they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from parley.domain.pubsub.nodes import Affiliation, Node, SubscriptionWord
from parley.domain.pubsub.rules import BY_ROSTER, is_move, settled, why_not_read
from parley.edges.xmpp.extensions.pubsub import approval
from parley.edges.xmpp.extensions.pubsub.access import circle_of
from parley.edges.xmpp.extensions.pubsub.asked import Asked, jid_of, node_name
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_PUBSUB, NS_PUBSUB_OWNER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element

_AFFILIATION: Final = f"{{{NS_PUBSUB_OWNER}}}affiliation"
_WORDS: Final = frozenset(word.value for word in Affiliation)


async def get_own(asked: Asked, element: _Element) -> bytes:
    """What who asks is to the nodes here, or to the one named (§5.7)."""
    if element.get("node"):
        node = await asked.node(element)
        known = [(node.name, node.affiliation(asked.asker))]
    elif asked.service.is_personal:
        nodes = (await asked.nodes.of(asked.service)).values()
        known = [(node.name, node.affiliation(asked.asker)) for node in nodes]
    else:
        known = await asked.host.stores.nodes.affiliations_of(asked.service, asked.asker)
    parts = [
        xml("affiliation", {"node": name, "affiliation": affiliation.value})
        for name, affiliation in known
        if affiliation is not Affiliation.NONE
    ]
    return xml("pubsub", {"xmlns": NS_PUBSUB}, xml("affiliations", None, *parts))


async def get_all(asked: Asked, element: _Element) -> bytes:
    """All that have an affiliation with the node (§8.9.1)."""
    node = await asked.owned(element)
    own = {asked.service.address: Affiliation.OWNER} if asked.service.is_personal else {}
    return _list(node.name, {**own, **node.affiliations})


async def change(asked: Asked, element: _Element) -> bytes | None:
    """Make people what an owner says, each that is allowed; the others are told back as they are (§8.9.2)."""
    async with asked.nodes.lock(asked.service, node_name(element)):
        node = await asked.owned(element)
        entries = [
            (str(jid_of(each, "jid-required").bare), each.get("affiliation"))
            for each in element.iterchildren(_AFFILIATION)
        ]
        if not entries or len({address for address, _ in entries}) != len(entries):
            # §8.9.2.4: nobody is named twice.
            raise StanzaError(StanzaCondition.BAD_REQUEST, "each affiliation is given once")
        changes, refused = _sorted(node, entries)
        if changes:
            await asked.nodes.affiliate(node, changes)
            await _settle(asked, node, changes)
    if not refused:
        return b""
    error = StanzaError(StanzaCondition.NOT_ACCEPTABLE, "some affiliations cannot become that")
    asked.refuse_some(error, _list(node.name, refused))
    return None


def _sorted(node: Node, entries: list[tuple[str, str | None]]) -> tuple[dict[str, Affiliation], dict[str, Affiliation]]:
    """What is to be changed, and what cannot be, as it is."""
    changes: dict[str, Affiliation] = {}
    refused: dict[str, Affiliation] = {}
    for address, word in entries:
        known = node.affiliation(address)
        if word is None or word == known.value:
            # An entry without the attribute changes nothing.
            continue
        # The one before may have made somebody the last owner.
        current = replace(node, affiliations={**node.affiliations, **changes})
        if word in _WORDS and is_move(current, address, Affiliation(word)):
            changes[address] = Affiliation(word)
        else:
            refused[address] = known
    return changes, refused


async def _settle(asked: Asked, node: Node, changes: Mapping[str, Affiliation]) -> None:
    """Approve and end subscriptions of those who are something else now (§8.7.4)."""
    circle = await circle_of(asked.host, await asked.nodes.get(asked.service, node.name))
    for subscription in await asked.nodes.subscriptions(node):
        word = changes.get(subscription.address)
        if word is None:
            continue
        state = settled(node.config, word, subscription)
        if why_not_read(node.config, circle.standing(subscription.address)) in BY_ROSTER:
            # The list let them in, and the roster does not.
            state = SubscriptionWord.NONE
        if state is not subscription.state:
            await approval.change(asked.host, circle.node, replace(subscription, state=state))


def _list(name: str, known: Mapping[str, Affiliation]) -> bytes:
    parts = [xml("affiliation", {"jid": jid, "affiliation": each.value}) for jid, each in known.items()]
    return xml("pubsub", {"xmlns": NS_PUBSUB_OWNER}, xml("affiliations", {"node": name}, *parts))
