"""The nodes of accounts, kept in memory while somebody asks for them, and who may read them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from parley.domain.nodes import AccessModel, Affiliation, Node, NodeConfig
from parley.edges.xmpp.extensions.pubsub.refusals import refusal
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.domain.contacts import Contact
    from parley.edges.xmpp.host import Host

_KEPT: Final = 4096
_MAX_AFFILIATIONS: Final = 1000


class Nodes:
    """The nodes of accounts by name: most accounts have few, and each presence of a contact asks for them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._cache: OrderedDict[int, Mapping[str, Node]] = OrderedDict()
        self._changes = 0
        self._locks: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()

    def lock(self, account_id: int, name: str) -> asyncio.Lock:
        """To be held while something happens at a node and subscribers are told, so that they hear it in order."""
        lock = self._locks.get((account_id, name))
        if lock is None:
            lock = self._locks[account_id, name] = asyncio.Lock()
        return lock

    async def of(self, account_id: int) -> Mapping[str, Node]:
        """The account's nodes by name; not to be changed."""
        known = self._cache.get(account_id)
        if known is not None:
            self._cache.move_to_end(account_id)
            return known
        changes = self._changes
        nodes = {node.name: node for node in await self._host.stores.nodes.nodes(account_id)}
        # What was read while something changed may be out of date already.
        if changes == self._changes:
            self._cache[account_id] = nodes
            while len(self._cache) > _KEPT:
                self._cache.popitem(last=False)
        return nodes

    async def get(self, account_id: int, name: str) -> Node:
        """One node; raises StanzaError (item-not-found)."""
        node = (await self.of(account_id)).get(name)
        if node is None:
            raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
        return node

    async def create(self, account_id: int, name: str, config: NodeConfig) -> Node:
        """Raises Conflict("node-exists"), LimitReached("too-many-nodes")."""
        try:
            return await self._host.stores.nodes.create(account_id, name, config, self._host.settings.pep.max_nodes)
        finally:
            self.forget(account_id)

    async def configure(self, account_id: int, name: str, config: NodeConfig) -> None:
        """Raises NotFound("node-not-found")."""
        try:
            await self._host.stores.nodes.configure(account_id, name, config)
        finally:
            self.forget(account_id)

    async def affiliate(self, account_id: int, name: str, changes: Mapping[str, Affiliation]) -> None:
        """Raises NotFound("node-not-found"), LimitReached("too-many-affiliations")."""
        try:
            await self._host.stores.nodes.affiliate(account_id, name, changes, _MAX_AFFILIATIONS)
        finally:
            self.forget(account_id)

    async def delete(self, account_id: int, name: str) -> bool:
        """Delete the node; False if there was none."""
        try:
            return await self._host.stores.nodes.delete(account_id, name)
        finally:
            self.forget(account_id)

    def forget(self, account_id: int) -> None:
        """The account's nodes are not what they were."""
        self._changes += 1
        self._cache.pop(account_id, None)


def why_not(node: Node, address: str, reader: Contact | None) -> StanzaError | None:
    """Why somebody other than the owner may not read the node, None if they may (XEP-0060 §4.5).

    `reader` is what the owner's roster says of `address`.
    """
    model, affiliation = node.config.access_model, node.affiliations.get(address)
    if affiliation is Affiliation.OUTCAST:
        return StanzaError(StanzaCondition.FORBIDDEN)
    if model is AccessModel.WHITELIST:
        is_member = affiliation is Affiliation.MEMBER
        return None if is_member else refusal(StanzaCondition.NOT_ALLOWED, "closed-node")
    is_subscribed = reader is not None and reader.state.from_
    if model is AccessModel.PRESENCE and not is_subscribed:
        return refusal(StanzaCondition.NOT_AUTHORIZED, "presence-subscription-required")
    if model is AccessModel.ROSTER and not (is_subscribed and _is_in_group(node, reader)):
        return refusal(StanzaCondition.NOT_AUTHORIZED, "not-in-roster-group")
    return None


def _is_in_group(node: Node, reader: Contact | None) -> bool:
    return reader is not None and not set(node.config.roster_groups_allowed).isdisjoint(reader.groups)


async def check_readable(host: Host, owner: Account, node: Node, reader: str) -> None:
    """Raise StanzaError unless the account with the address `reader` may read the node."""
    if reader == owner.address:
        return
    roster = await host.rosters.get(owner.id)
    error = why_not(node, reader, roster.contacts.get(reader))
    if error is not None:
        raise error


async def is_visible(host: Host, owner: Account, viewer: str) -> bool:
    """Whether the account with the address `viewer` may see the presence of `owner`, and so what they publish."""
    if viewer == owner.address:
        return True
    contact = (await host.rosters.get(owner.id)).contacts.get(viewer)
    return contact is not None and contact.state.from_
