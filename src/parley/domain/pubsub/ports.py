"""The port to stored nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from parley.domain.pubsub.nodes import Affiliation, Node, NodeConfig, NodeItem, PubsubService, Subscription
from parley.domain.pubsub.pages import ItemPage, ItemQuery


class ListedNode(NamedTuple):
    """A node in a list of a service's nodes."""

    name: str
    title: str


class NodeStore(Protocol):
    """Nodes of accounts and of services, with items, affiliations and subscriptions."""

    async def nodes(self, service: PubsubService) -> list[Node]:
        """All nodes of a service, by name. For accounts, which have few."""
        ...

    async def node(self, service: PubsubService, name: str) -> Node | None:
        """One node."""
        ...

    async def listed(self, service: PubsubService, address: str, after: str, limit: int) -> list[ListedNode]:
        """The first `limit` nodes by name behind `after` that a bare address may know of.

        Those are all but the ones where it is an outcast, and the ones with a whitelist that it is not on.
        """
        ...

    async def create(self, node: Node, limit: int) -> Node:
        """Store a new node with its affiliations. What it was moved to before is forgotten.

        Raises Conflict("node-exists"), LimitReached("too-many-nodes"): an account has at most `limit` nodes; elsewhere
        it is the creator who has created at most that many.
        """
        ...

    async def configure(self, service: PubsubService, name: str, config: NodeConfig) -> None:
        """Raises NotFound("node-not-found"). A smaller max_items drops the oldest items."""
        ...

    async def delete(self, service: PubsubService, name: str, moved_to: str = "") -> bool:
        """Delete the node with all that belongs to it; False if there was none.

        `moved_to` is a URI that `moved` returns from then on; a service remembers the latest thousand.
        """
        ...

    async def moved(self, service: PubsubService, name: str) -> str:
        """The URI that a deleted node was moved to, "" when there is none."""
        ...

    async def affiliate(
        self, service: PubsubService, name: str, changes: Mapping[str, Affiliation], limit: int
    ) -> None:
        """Change what bare addresses are to a node; NONE forgets them.

        Raises NotFound("node-not-found"), LimitReached("too-many-affiliations"): a node has at most `limit`.
        """
        ...

    async def affiliations_of(self, service: PubsubService, address: str) -> list[tuple[str, Affiliation]]:
        """What a bare address is to the nodes of a service, by their names."""
        ...

    async def disaffiliate(self, address: str) -> list[int]:
        """Forget affiliations and subscriptions of an account's address, at all nodes, and delete nodes without owners.

        For an account that goes: who gets its address later is somebody else. Returns the ids of the accounts whose
        nodes changed, with 0 among them when nodes of services did.
        """
        ...

    async def subscriptions(self, service: PubsubService, name: str) -> list[Subscription]:
        """The subscriptions to a node, pending ones too, by address; none of an unknown node."""
        ...

    async def subscribe(
        self, service: PubsubService, name: str, changes: Sequence[Subscription], limit: int, limit_each: int
    ) -> None:
        """Put subscriptions, each for its address; those in the state NONE are removed.

        Raises NotFound("node-not-found"), LimitReached("too-many-subscriptions"): a node has at most `limit`, one bare
        address at most `limit_each` of them. What is there already may be changed in any case.
        """
        ...

    async def has_subscriptions(self, service: PubsubService) -> bool:
        """Whether anybody is subscribed to any node of a service."""
        ...

    async def subscriptions_of(self, service: PubsubService, address: str) -> list[tuple[str, Subscription]]:
        """The subscriptions of a bare address and of its full addresses, by the names of the nodes."""
        ...

    async def temporary_subscriptions(self, address: str) -> list[tuple[PubsubService, str, Subscription]]:
        """The subscriptions of a bare address that last as long as it is there, with their services and nodes."""
        ...

    async def has_passing(self) -> bool:
        """Whether anything anywhere ends when somebody goes offline: a subscription, or an item."""
        ...

    async def publish(self, service: PubsubService, name: str, item: NodeItem) -> list[str]:
        """Add or replace an item and drop the oldest over max_items; returns the ids of those.

        Raises NotFound("node-not-found"), Conflict("node-full"): the node takes no new item when it has max_items.
        """
        ...

    async def items(self, service: PubsubService, name: str, query: ItemQuery, since: int = 0) -> ItemPage:
        """A page of the items published at `since` (microseconds) or later; none of an unknown node.

        Raises NotFound("item-not-found") when the item that the page starts from is not there.
        """
        ...

    async def purged_offline(self, service: PubsubService, address: str) -> list[tuple[str, str]]:
        """What a bare address published to nodes that are to forget it when who published is gone: nodes and ids."""
        ...

    async def retract(self, service: PubsubService, name: str, ids: Sequence[str]) -> list[str]:
        """Delete items; returns the ids that existed."""
        ...

    async def purge(self, service: PubsubService, name: str) -> int:
        """Delete all items of a node; returns how many."""
        ...

    async def expire(self, now: int) -> int:
        """Delete all items that are older than their node keeps them, at `now` in microseconds; returns how many."""
        ...
