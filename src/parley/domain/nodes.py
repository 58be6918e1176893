"""Personal event nodes (XEP-0060 and 0163): what an account publishes to those who may see it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AccessModel(StrEnum):
    """Who may read a node (XEP-0060 §4.5)."""

    OPEN = "open"
    PRESENCE = "presence"
    ROSTER = "roster"
    AUTHORIZE = "authorize"
    WHITELIST = "whitelist"


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
    """One node of one account."""

    account_id: int
    name: str
    config: NodeConfig


@dataclass(frozen=True, slots=True)
class NodeItem:
    """One item: `payload` is the XML inside `<item/>`, self-contained, opaque here. Times in microseconds."""

    id: str
    publisher: str
    published_at: int
    payload: bytes
