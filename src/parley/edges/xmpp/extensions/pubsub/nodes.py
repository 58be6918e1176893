"""The nodes of all services, and who is subscribed to them, kept in memory while somebody asks for them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from weakref import WeakValueDictionary

from parley.base import log as logs
from parley.base.config import PepSettings, PubsubSettings
from parley.domain.errors import LimitReached, StorageUnavailable
from parley.domain.pubsub.nodes import (
    AccessModel,
    Affiliation,
    Node,
    NodeConfig,
    NodeItem,
    PubsubService,
    Subscription,
)
from parley.edges.xmpp.extensions.pubsub.refusals import too_many_subscriptions
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)

_KEPT: Final = 4096
_SWEEP_US: Final = 3_600_000_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Limits = PepSettings | PubsubSettings
_Key = tuple[int, str]


def limits_of(host: Host, service: PubsubService) -> Limits:
    """The bounds of a service."""
    return host.settings.pep if service.is_personal else host.settings.pubsub


def default_config(host: Host, service: PubsubService) -> NodeConfig:
    """The options of a node that is created without any (§8.3)."""
    if service.is_personal:
        return NodeConfig()
    # §4.5: open SHOULD be the default of a service that is not about presence.
    limits = limits_of(host, service)
    return NodeConfig(AccessModel.OPEN, max_items=limits.max_items, presence_based_delivery=False)


class _Latest(Generic[K, V]):
    """What was asked for latest."""

    def __init__(self) -> None:
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        while len(self._values) > _KEPT:
            self._values.popitem(last=False)

    def drop(self, key: K) -> None:
        self._values.pop(key, None)

    def clear(self) -> None:
        self._values.clear()


class Nodes:
    """Nodes by service and name.

    Of an account all are kept at once: most have few, and each presence of a contact asks for them. Of a service those
    that are in use.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._accounts: _Latest[_Key, Mapping[str, Node]] = _Latest()
        self._nodes: _Latest[tuple[_Key, str], Node] = _Latest()
        self._subscriptions: _Latest[tuple[_Key, str], Sequence[Subscription]] = _Latest()
        self._quiet: set[_Key] = set()
        self._passing: bool | None = None
        self._changes = 0
        self._swept_at = 0
        self._locks: WeakValueDictionary[tuple[_Key, str], asyncio.Lock] = WeakValueDictionary()

    def lock(self, service: PubsubService, name: str) -> asyncio.Lock:
        """To be held while something happens at a node and subscribers are told, so that they hear it in order."""
        key = (service.key, name)
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    # Reading.

    async def of(self, service: PubsubService) -> Mapping[str, Node]:
        """The nodes of an account by name; not to be changed."""
        known = self._accounts.get(service.key)
        if known is not None:
            return known
        changes = self._changes
        nodes = {node.name: node for node in await self._host.stores.nodes.nodes(service)}
        # What was read while something changed may be out of date already.
        if changes == self._changes:
            self._accounts.put(service.key, nodes)
        return nodes

    async def find(self, service: PubsubService, name: str) -> Node | None:
        """One node, None if there is none."""
        if service.is_personal:
            return (await self.of(service)).get(name)
        node = self._nodes.get((service.key, name))
        if node is None:
            changes = self._changes
            node = await self._host.stores.nodes.node(service, name)
            if node is not None and changes == self._changes:
                self._nodes.put((service.key, name), node)
        return node

    async def get(self, service: PubsubService, name: str) -> Node:
        """One node; raises StanzaError: item-not-found, or gone for one that has moved (§6.1.3.11)."""
        node = await self.find(service, name)
        if node is None:
            uri = await self._host.stores.nodes.moved(service, name)
            if uri:
                raise StanzaError(StanzaCondition.GONE, alternate=uri)
            raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
        return node

    async def subscriptions(self, node: Node) -> Sequence[Subscription]:
        """The subscriptions to a node, pending and expired ones too; not to be changed."""
        key = (node.service.key, node.name)
        known = self._subscriptions.get(key)
        if known is not None:
            return known
        changes = self._changes
        found = tuple(await self._host.stores.nodes.subscriptions(node.service, node.name))
        if changes == self._changes:
            self._subscriptions.put(key, found)
        return found

    async def has_subscriptions(self, service: PubsubService) -> bool:
        """Whether anybody is subscribed to any node of a service: where nobody is, nobody who comes costs a look."""
        if service.key in self._quiet:
            return False
        changes = self._changes
        has_some = await self._host.stores.nodes.has_subscriptions(service)
        if not has_some and changes == self._changes:
            self._quiet.add(service.key)
        return has_some

    async def subscription(self, node: Node, jid: str) -> Subscription | None:
        """The subscription of one address, if it has one that is not over."""
        now = self._host.clock.now_us()
        found = (known for known in await self.subscriptions(node) if known.jid == jid)
        return next((known for known in found if not known.options.is_over(now)), None)

    @property
    def may_have_passing(self) -> bool:
        """False when it is known already that `has_passing` is."""
        return self._passing is not False

    async def has_passing(self) -> bool:
        """Whether anything ends when somebody goes offline: where nothing does, nobody who goes costs a look."""
        if self._passing is None:
            found = await self._host.stores.nodes.has_passing()
            self._passing = self._passing or found
        return self._passing

    # Changing.

    async def create(self, node: Node) -> Node:
        """Raises Conflict("node-exists"), LimitReached("too-many-nodes")."""
        self._passing = node.config.purge_offline or self._passing
        try:
            return await self._host.stores.nodes.create(node, limits_of(self._host, node.service).max_nodes)
        finally:
            self._forget(node.service, node.name)

    async def configure(self, node: Node, config: NodeConfig) -> None:
        """Raises NotFound("node-not-found")."""
        self._passing = config.purge_offline or self._passing
        try:
            await self._host.stores.nodes.configure(node.service, node.name, config)
        finally:
            self._forget(node.service, node.name)

    async def affiliate(self, node: Node, changes: Mapping[str, Affiliation]) -> None:
        """Raises NotFound("node-not-found"), LimitReached("too-many-affiliations")."""
        limit = limits_of(self._host, node.service).max_affiliations
        try:
            await self._host.stores.nodes.affiliate(node.service, node.name, changes, limit)
        finally:
            self._forget(node.service, node.name)

    async def subscribe(self, node: Node, changes: Sequence[Subscription]) -> None:
        """Put and remove subscriptions. Raises NotFound("node-not-found"), StanzaError (too-many-subscriptions)."""
        limits = limits_of(self._host, node.service)
        self._quiet.discard(node.service.key)
        self._passing = any(change.options.is_temporary for change in changes) or self._passing
        try:
            await self._host.stores.nodes.subscribe(
                node.service, node.name, changes, limits.max_subscriptions, limits.max_subscriptions_each
            )
        except LimitReached as error:
            raise too_many_subscriptions() from error
        finally:
            self._forget(node.service, node.name)

    async def delete(self, node: Node, moved_to: str = "") -> bool:
        """Delete the node; False if there was none."""
        try:
            return await self._host.stores.nodes.delete(node.service, node.name, moved_to)
        finally:
            self._forget(node.service, node.name)

    async def publish(self, node: Node, item: NodeItem) -> list[str]:
        """Keep an item; returns the ids of those that went for it. Now and then, items that are too old go everywhere.

        Raises NotFound("node-not-found"), Conflict("node-full").
        """
        if not node.config.persist_items:
            return []
        dropped = await self._host.stores.nodes.publish(node.service, node.name, item)
        if self._swept_at + _SWEEP_US <= item.published_at:
            self._swept_at = item.published_at
            self._host.supervisor.spawn("old items", self._sweep(item.published_at))
        return dropped

    async def _sweep(self, now: int) -> None:
        try:
            await self._host.stores.nodes.expire(now)
        except StorageUnavailable as error:
            log.error("items that are too old stay for now", code=error.code)

    def _forget(self, service: PubsubService, name: str) -> None:
        self._changes += 1
        self._accounts.drop(service.key)
        self._nodes.drop((service.key, name))
        self._subscriptions.drop((service.key, name))

    def forget(self, account_id: int) -> None:
        """The nodes of an account, or with 0 those of services, are not what they were."""
        self._changes += 1
        self._accounts.drop((account_id, ""))
        self._subscriptions.clear()
        if not account_id:
            self._nodes.clear()
