"""Personal event nodes (XEP-0060 and 0163): what an account publishes to those who may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from parley.domain.errors import LimitReached


class AccessModel(StrEnum):
    """Who may read a node (XEP-0060 §4.5)."""

    OPEN = "open"
    PRESENCE = "presence"
    ROSTER = "roster"
    WHITELIST = "whitelist"


class Affiliation(StrEnum):
    """What an address is to a node (XEP-0060 §4.1). The account that has the node is its one owner.

    A member may read a node whose access model is a whitelist; an outcast may read no node, whatever its model.
    """

    OWNER = "owner"
    MEMBER = "member"
    OUTCAST = "outcast"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The options of a node. `max_items` counts items kept when `persist_items` is set."""

    access_model: AccessModel = AccessModel.PRESENCE
    persist_items: bool = True
    max_items: int = 1
    notify_retract: bool = True
    notify_delete: bool = True
    send_last_published_item: str = "on_sub_and_presence"
    roster_groups_allowed: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of one account. `affiliations` holds its members and outcasts by address (`name@domain`)."""

    account_id: int
    name: str
    config: NodeConfig
    affiliations: Mapping[str, Affiliation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeItem:
    """One item: `payload` is the XML inside `<item/>`, self-contained, opaque here. Times in microseconds."""

    id: str
    publisher: str
    published_at: int
    payload: bytes


def affiliated(
    known: Mapping[str, Affiliation], changes: Mapping[str, Affiliation], limit: int
) -> dict[str, Affiliation]:
    """`known` with the changes; raises LimitReached("too-many-affiliations") when there are to be more than `limit`."""
    merged: dict[str, Affiliation] = {**known, **changes}
    kept = {address: merged[address] for address in merged if merged[address] is not Affiliation.NONE}
    if len(kept) > max(limit, len(known)):
        raise LimitReached("too-many-affiliations")
    return kept
