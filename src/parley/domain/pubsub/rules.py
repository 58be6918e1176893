"""Who may do what with a node: the tables of XEP-0060 §4.1 and §4.5 as pure functions.

What a person is to a node comes in a `Standing`; what may not be is said in a `Denial`, whose wording on the wire is
the edge's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from parley.domain.errors import LimitReached
from parley.domain.pubsub.nodes import (
    AccessModel,
    Affiliation,
    Node,
    NodeConfig,
    NodeItem,
    PublishModel,
    Subscription,
    SubscriptionWord,
)

_Is = Affiliation
_PUBLISHING: Final = frozenset({_Is.OWNER, _Is.PUBLISHER, _Is.PUBLISH_ONLY})
_READING: Final = frozenset({_Is.OWNER, _Is.PUBLISHER})
_LISTED: Final = frozenset({_Is.OWNER, _Is.PUBLISHER, _Is.MEMBER})
# §4.1, table 2: what an entity may become from what it is. The table leaves publish-only out: it may become anything.
_TRANSITIONS: Final[Mapping[Affiliation, frozenset[Affiliation]]] = MappingProxyType(
    {
        _Is.OUTCAST: frozenset(Affiliation),
        _Is.NONE: frozenset(Affiliation),
        _Is.MEMBER: frozenset(Affiliation),
        _Is.PUBLISH_ONLY: frozenset(Affiliation),
        _Is.PUBLISHER: frozenset(Affiliation) - {_Is.MEMBER},
        _Is.OWNER: frozenset({_Is.OWNER, _Is.NONE}),
    }
)


class Denial(StrEnum):
    """Why something may not be; each has its words in XEP-0060."""

    BLOCKED = "blocked"
    CLOSED_NODE = "closed-node"
    PRESENCE_REQUIRED = "presence-subscription-required"
    NOT_IN_GROUP = "not-in-roster-group"
    NOT_SUBSCRIBED = "not-subscribed"
    NO_SUBSCRIPTIONS = "no-subscriptions"


BY_ROSTER: Final = frozenset({Denial.PRESENCE_REQUIRED, Denial.NOT_IN_GROUP})
"""What an owner's roster says of somebody, and may say otherwise tomorrow."""


class PublishDenial(StrEnum):
    """What is wrong with an item, in the words of XEP-0060 §7.1.3."""

    ITEM_REQUIRED = "item-required"
    ITEM_FORBIDDEN = "item-forbidden"
    PAYLOAD_REQUIRED = "payload-required"
    INVALID_PAYLOAD = "invalid-payload"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is to a node.

    `has_presence`: whether they may see the presence of an owner; `groups`: in which groups of that owner's roster they
    are; `is_subscribed`: whether one of their addresses has a subscription that is not pending.
    """

    affiliation: Affiliation = Affiliation.NONE
    has_presence: bool = False
    groups: frozenset[str] = frozenset()
    is_subscribed: bool = False

    @property
    def is_watching(self) -> bool:
        """Whether they see the presence of an owner, as an owner does."""
        return self.has_presence or self.affiliation is Affiliation.OWNER


def why_not_read(config: NodeConfig, standing: Standing) -> Denial | None:
    """Why somebody may not read items or hear of them; None when they may (§4.5, §6.5.1)."""
    if standing.affiliation in _READING:
        return None
    if standing.affiliation in (Affiliation.OUTCAST, Affiliation.PUBLISH_ONLY):
        return Denial.BLOCKED
    if config.access_model is AccessModel.AUTHORIZE:
        is_let_in = standing.is_subscribed or standing.affiliation in _LISTED
        return None if is_let_in else Denial.NOT_SUBSCRIBED
    return _why_not_admitted(config, standing)


def why_not_subscribe(config: NodeConfig, standing: Standing) -> Denial | None:
    """Why somebody may not subscribe; None when they may, or may ask to (§6.1.3)."""
    if standing.affiliation in (Affiliation.OUTCAST, Affiliation.PUBLISH_ONLY):
        return Denial.BLOCKED
    if not config.is_subscribable:
        return Denial.NO_SUBSCRIPTIONS
    if standing.affiliation in _READING:
        return None
    return _why_not_admitted(config, standing)


def _why_not_admitted(config: NodeConfig, standing: Standing) -> Denial | None:
    model = config.access_model
    if standing.affiliation in _LISTED:
        # §4.1, table 1: a member subscribes and reads, whomever else the node is for.
        return None
    if model is AccessModel.WHITELIST:
        return Denial.CLOSED_NODE
    if model is AccessModel.PRESENCE and not standing.has_presence:
        return Denial.PRESENCE_REQUIRED
    if model is AccessModel.ROSTER:
        is_in_group = not standing.groups.isdisjoint(config.roster_groups_allowed)
        return None if standing.has_presence and is_in_group else Denial.NOT_IN_GROUP
    return None


def needs_approval(config: NodeConfig, standing: Standing) -> bool:
    """Whether an owner has to approve a subscription (§6.1.4): not those of people on the node's lists."""
    return config.access_model is AccessModel.AUTHORIZE and standing.affiliation not in _LISTED


def may_publish(config: NodeConfig, standing: Standing) -> bool:
    """Whether somebody may publish (§4.1, §16.4.4)."""
    if standing.affiliation in _PUBLISHING:
        return True
    if standing.affiliation is Affiliation.OUTCAST:
        return False
    model = config.publish_model
    return model is PublishModel.OPEN or (model is PublishModel.SUBSCRIBERS and standing.is_subscribed)


def may_retract(affiliation: Affiliation, address: str, item: NodeItem) -> bool:
    """Whether somebody may delete an item (§7.2, note of §4.1): owners any, others what they published themselves."""
    if affiliation is Affiliation.OWNER:
        return True
    return affiliation is not Affiliation.OUTCAST and item.publisher.partition("/")[0] == address


def why_not_item(config: NodeConfig, payloads: int | None, namespace: str) -> PublishDenial | None:
    """Why an item does not fit a node's events (§4.3, §7.1.3.5 and §7.1.3.6); None when it does.

    Args:
        config: of the node.
        payloads: how many payloads the item has, None when there is no item.
        namespace: that of the payload.
    """
    is_bare = not config.persist_items and not config.deliver_payloads
    if payloads is None:
        return None if is_bare else PublishDenial.ITEM_REQUIRED
    if is_bare:
        return PublishDenial.ITEM_FORBIDDEN
    if payloads > 1:
        return PublishDenial.INVALID_PAYLOAD
    if payloads == 0:
        return PublishDenial.PAYLOAD_REQUIRED if config.deliver_payloads else None
    if config.type and namespace != config.type:
        return PublishDenial.INVALID_PAYLOAD
    return None


def is_move(node: Node, address: str, word: Affiliation) -> bool:
    """Whether what an address is to the node may become `word` (§4.1, §8.9.2.4).

    An account owns its nodes alone and for ever; elsewhere one owner at least stays.
    """
    known = node.affiliation(address)
    if node.service.is_personal and Affiliation.OWNER in (known, word):
        return known is word
    if word not in _TRANSITIONS[known]:
        return False
    is_last = known is Affiliation.OWNER and node.owners == [address]
    return not is_last or word is Affiliation.OWNER


def affiliated(
    known: Mapping[str, Affiliation], changes: Mapping[str, Affiliation], limit: int
) -> dict[str, Affiliation]:
    """`known` with the changes; raises LimitReached("too-many-affiliations") when there are to be more than `limit`."""
    merged: dict[str, Affiliation] = {**known, **changes}
    kept = {address: merged[address] for address in merged if merged[address] is not Affiliation.NONE}
    if len(kept) > max(limit, len(known)):
        raise LimitReached("too-many-affiliations")
    return kept


def settled(config: NodeConfig, word: Affiliation, subscription: Subscription) -> SubscriptionWord:
    """What a subscription becomes when its subscriber's affiliation becomes `word` (§8.7.4, §8.9).

    Owners, publishers and members need no approval; outcasts and who only publishes have no subscription, nor has who
    is taken off a whitelist.
    """
    if word in (Affiliation.OUTCAST, Affiliation.PUBLISH_ONLY):
        return SubscriptionWord.NONE
    if config.access_model is AccessModel.WHITELIST and word not in _LISTED:
        return SubscriptionWord.NONE
    if word in _LISTED:
        return SubscriptionWord.SUBSCRIBED
    return subscription.state


def check_subscriptions(
    known: Sequence[Subscription], changes: Sequence[Subscription], limit: int, limit_each: int
) -> None:
    """Raise LimitReached("too-many-subscriptions") when changes bring a node over its limits.

    Args:
        known: the subscriptions that there are.
        changes: those to be put; the state NONE removes.
        limit: the most that a node has.
        limit_each: the most of them that one bare address has.
    """
    held = {subscription.jid: subscription.address for subscription in known}
    added = False
    for change in changes:
        if change.state is SubscriptionWord.NONE:
            held.pop(change.jid, None)
        elif change.jid not in held:
            held[change.jid] = change.address
            added = True
            if sum(address == change.address for address in held.values()) > limit_each:
                raise LimitReached("too-many-subscriptions")
    if added and len(held) > limit:
        raise LimitReached("too-many-subscriptions")
