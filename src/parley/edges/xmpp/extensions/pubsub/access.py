"""Who may do what with a node: its lists, its subscriptions, and what its owners' rosters say of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.domain.people.blocking import NOBODY, BlockList
from parley.domain.pubsub.nodes import AccessModel, Affiliation, Node, PublishModel
from parley.domain.pubsub.rules import Denial, Standing, why_not_read
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.edges.xmpp.extensions.pubsub.refusals import denied
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.domain.contacts import Roster
    from parley.edges.xmpp.host import Host

_BY_ROSTER: Final = frozenset({AccessModel.PRESENCE, AccessModel.ROSTER})


@dataclass(frozen=True, slots=True)
class Circle:
    """A node and the people around it.

    `rosters` are its owners', `subscribed` bare addresses of subscribers, `blocks` whom the account blocks that it is
    at.
    """

    node: Node
    rosters: Sequence[Roster]
    subscribed: frozenset[str]
    blocks: BlockList = NOBODY

    def standing(self, address: str) -> Standing:
        """What a bare address is to the node."""
        affiliation = self.node.affiliation(address)
        if self.blocks and affiliation is not Affiliation.OWNER and self._is_blocked(address):
            # XEP-0191 §3.3: who is blocked is told nothing.
            return Standing(Affiliation.OUTCAST)
        contacts = (roster.contacts.get(address) for roster in self.rosters)
        watchers = [contact for contact in contacts if contact is not None and contact.state.from_]
        groups = frozenset(group for contact in watchers for group in contact.groups)
        return Standing(affiliation, bool(watchers), groups, address in self.subscribed)

    def _is_blocked(self, address: str) -> bool:
        return self.blocks.covers(address, address, JID.parse(address).domain)

    def may_read(self, address: str) -> bool:
        """Whether a bare address may read items and hear of them."""
        return why_not_read(self.node.config, self.standing(address)) is None


async def circle_of(host: Host, node: Node) -> Circle:
    """The node with what deciding about people needs."""
    blocks = await host.blocking.get(node.service.account_id) if node.service.is_personal else NOBODY
    return Circle(node, await _rosters(host, node), await _subscribed(host, node), blocks)


async def _rosters(host: Host, node: Node) -> Sequence[Roster]:
    if node.service.is_personal:
        return [await host.rosters.get(node.service.account_id)]
    if node.config.access_model not in _BY_ROSTER:
        return []
    owners = [await host.stores.directory.find(owner) for owner in node.owners]
    return [await host.rosters.get(owner.id) for owner in owners if owner is not None]


async def _subscribed(host: Host, node: Node) -> frozenset[str]:
    config = node.config
    if config.access_model is not AccessModel.AUTHORIZE and config.publish_model is not PublishModel.SUBSCRIBERS:
        return frozenset()
    now = host.clock.now_us()
    known = await host.memory(Nodes).subscriptions(node)
    return frozenset(each.address for each in known if each.is_subscribed and not each.options.is_over(now))


async def standing_of(host: Host, node: Node, address: str) -> Standing:
    """What a bare address is to a node."""
    return (await circle_of(host, node)).standing(address)


async def check_readable(host: Host, node: Node, reader: str) -> None:
    """Raise StanzaError unless the bare address `reader` may read the node."""
    denial = why_not_read(node.config, await standing_of(host, node, reader))
    if denial is not None:
        raise denied(denial)


async def check_knowable(host: Host, node: Node, asker: str) -> None:
    """Raise StanzaError unless a bare address may know of the node: who may read it, or may ask to (`authorize`)."""
    denial = why_not_read(node.config, await standing_of(host, node, asker))
    if denial not in (None, Denial.NOT_SUBSCRIBED):
        raise denied(denial)


async def is_visible(host: Host, owner: Account, viewer: str) -> bool:
    """Whether the bare address `viewer` may see the presence of `owner`, and so what they publish."""
    if viewer == owner.address:
        return True
    contact = (await host.rosters.get(owner.id)).contacts.get(viewer)
    return contact is not None and contact.state.from_
