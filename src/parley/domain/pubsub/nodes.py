"""Nodes (XEP-0060 and 0163): what is published, by whom and for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class AccessModel(StrEnum):
    """Who may subscribe to a node and read it (XEP-0060 §4.5)."""

    OPEN = "open"
    PRESENCE = "presence"
    ROSTER = "roster"
    AUTHORIZE = "authorize"
    WHITELIST = "whitelist"


class PublishModel(StrEnum):
    """Who may publish to a node besides those whose affiliation says so (XEP-0060 §16.4.4)."""

    PUBLISHERS = "publishers"
    SUBSCRIBERS = "subscribers"
    OPEN = "open"


class SendLast(StrEnum):
    """When the last published item is sent (XEP-0060 §6.1.7)."""

    NEVER = "never"
    ON_SUB = "on_sub"
    ON_SUB_AND_PRESENCE = "on_sub_and_presence"


class ItemReply(StrEnum):
    """Whose address stands in an item as its publisher (XEP-0060 §12.16)."""

    OWNER = "owner"
    PUBLISHER = "publisher"
    NONE = "none"


class WhenFull(StrEnum):
    """What becomes of one item too many (XEP-0060 §7.1.2.5): the oldest goes, and subscribers hear of it or not."""

    RETRACT_OLDEST = "retract-oldest"
    DISCARD_OLDEST = "discard-oldest"
    REJECT = "reject"


class Affiliation(StrEnum):
    """What a bare address is to a node (XEP-0060 §4.1)."""

    OWNER = "owner"
    PUBLISHER = "publisher"
    PUBLISH_ONLY = "publish-only"
    MEMBER = "member"
    OUTCAST = "outcast"
    NONE = "none"


class SubscriptionWord(StrEnum):
    """States of a subscription (XEP-0060 §4.2). There is no `unconfigured`: every subscription has options."""

    NONE = "none"
    PENDING = "pending"
    SUBSCRIBED = "subscribed"


_PUBLISHERS: Final = frozenset({Affiliation.OWNER, Affiliation.PUBLISHER, Affiliation.PUBLISH_ONLY})


@dataclass(frozen=True, slots=True)
class PubsubService:
    """Where nodes are: at an account (`account_id` is its id) or at a service with a domain of its own (0)."""

    address: str
    account_id: int = 0

    @property
    def is_personal(self) -> bool:
        """Whether it is an account (XEP-0163), which owns all its nodes."""
        return self.account_id != 0

    @property
    def key(self) -> tuple[int, str]:
        """Tells services apart: an account by its id, as its address may be another's one day."""
        return (self.account_id, "" if self.account_id else self.address)


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The options of a node (XEP-0060 §16.4.4); the defaults are those of personal eventing.

    `max_items` counts items kept when `persist_items` is set, `item_expire_s` seconds that one is kept (0: for ever),
    `max_payload_bytes` what an item may have (0: what the service allows). `type` is the namespace of payloads,
    `language` a language tag, `contact` addresses of people to ask. `purge_offline`: the items of who goes offline are
    deleted; `is_temporary`: subscriptions last as long as who subscribes is there.
    """

    access_model: AccessModel = AccessModel.PRESENCE
    publish_model: PublishModel = PublishModel.PUBLISHERS
    is_subscribable: bool = True
    persist_items: bool = True
    max_items: int = 1
    item_expire_s: int = 0
    max_payload_bytes: int = 0
    deliver_notifications: bool = True
    deliver_payloads: bool = True
    notify_config: bool = False
    notify_delete: bool = True
    notify_retract: bool = True
    notify_sub: bool = False
    send_last_published_item: SendLast = SendLast.ON_SUB_AND_PRESENCE
    presence_based_delivery: bool = True
    notification_type: str = "headline"
    roster_groups_allowed: tuple[str, ...] = ()
    title: str = ""
    description: str = ""
    type: str = ""
    language: str = ""
    contact: tuple[str, ...] = ()
    item_reply: ItemReply = ItemReply.NONE
    when_full: WhenFull = WhenFull.RETRACT_OLDEST
    purge_offline: bool = False
    is_temporary: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a service.

    `creator` is a bare address, `created_at` in microseconds, 0 when unknown. `affiliations` holds those that are not
    NONE, by bare address; the account that a personal service is does not stand in it.
    """

    service: PubsubService
    name: str
    config: NodeConfig
    affiliations: Mapping[str, Affiliation] = field(default_factory=dict)
    creator: str = ""
    created_at: int = 0

    def affiliation(self, address: str) -> Affiliation:
        """What a bare address is to the node."""
        if self.service.is_personal and address == self.service.address:
            return Affiliation.OWNER
        return self.affiliations.get(address, Affiliation.NONE)

    def publisher_of(self, item: NodeItem) -> str | None:
        """Whose address an item shows; None for nobody's.

        §7.1.2.3: the bare address of who is on the list of publishers, the full one of others.
        """
        if self.config.item_reply is ItemReply.OWNER:
            return next(iter(self.owners), None)
        if self.config.item_reply is ItemReply.NONE:
            return None
        address = item.publisher.partition("/")[0]
        return address if self.affiliation(address) in _PUBLISHERS else item.publisher

    @property
    def owners(self) -> list[str]:
        """The bare addresses of the owners."""
        if self.service.is_personal:
            return [self.service.address]
        return [address for address, word in self.affiliations.items() if word is Affiliation.OWNER]


@dataclass(frozen=True, slots=True)
class NodeItem:
    """One item: `payload` is the XML inside `<item/>`, self-contained, opaque here. Times in microseconds."""

    id: str
    publisher: str
    published_at: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class SubscriptionOptions:
    """What a subscriber wants (XEP-0060 §16.4.2).

    `shows` are the presence states in which to be told ("online" for available without more), empty for any and none.
    `expires_at` is in microseconds since the epoch, 0 for never. `is_temporary`: it ends when the subscriber goes
    offline (§12.5).
    """

    deliver: bool = True
    include_body: bool = False
    shows: tuple[str, ...] = ()
    expires_at: int = 0
    is_temporary: bool = False

    def is_over(self, now_us: int) -> bool:
        """Whether the subscription has ended (XEP-0060 §12.18)."""
        return 0 < self.expires_at <= now_us


@dataclass(frozen=True, slots=True)
class Subscription:
    """The one subscription of an address, bare or full, to a node."""

    jid: str
    state: SubscriptionWord = SubscriptionWord.SUBSCRIBED
    options: SubscriptionOptions = SubscriptionOptions()

    @property
    def address(self) -> str:
        """The bare address of the subscriber."""
        return self.jid.partition("/")[0]

    @property
    def is_subscribed(self) -> bool:
        """Whether it is more than a request."""
        return self.state is SubscriptionWord.SUBSCRIBED
