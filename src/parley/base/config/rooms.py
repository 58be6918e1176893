"""Settings of `[rooms]`: conversations of many."""

from __future__ import annotations

from typing import Literal

from parley.base.config.section import Section, setting


class RoomSettings(Section):
    """Rooms for conversations of many (XEP-0045)."""

    creation: Literal["local", "admins", "anyone"] = setting(
        "local",
        "Who may make rooms: people of this server, only those in `admins`, or also people of other servers.",
        reload=True,
    )
    max_rooms: int = setting(100_000, "Most rooms in all.", reload=True, ge=1)
    max_rooms_per_account: int = setting(100, "Most rooms that one address has made.", reload=True, ge=1)
    max_occupants: int = setting(
        1000, "Most occupants of a room; its owner may choose fewer.", reload=True, ge=2, le=100_000
    )
    max_affiliations: int = setting(
        5000, "Most addresses that are owner, admin, member or banned in a room.", reload=True, ge=10, le=1_000_000
    )
    max_nick_bytes: int = setting(128, "Longest nickname.", unit="bytes", reload=True, ge=16, le=1023)
    max_presence_bytes: int = setting(
        16384,
        "Longest presence to a room, which keeps it and repeats it to all who enter.",
        unit="bytes",
        reload=True,
        ge=1024,
    )
    max_subject_bytes: int = setting(
        4096, "Longest subject, name, description or reason.", unit="bytes", reload=True, ge=64, le=65536
    )
    messages_per_s: int = setting(
        10,
        "Messages, changes of presence and of the room, entries and invitations that one person may send to one room"
        " for long.",
        unit="per second",
        reload=True,
        ge=1,
    )
    burst_messages: int = setting(
        100, "How much of that may come at once before `messages_per_s` holds.", reload=True, ge=1
    )
    history: int = setting(
        20, "Messages shown to who enters a new room; its owner may choose another number.", reload=True, ge=0, le=1000
    )
    max_history: int = setting(100, "Most messages shown to who enters.", reload=True, ge=0, le=1000)
    persistent: bool = setting(
        False,
        "Whether new rooms stay when the last occupant leaves, unless their owner chooses otherwise.",
        reload=True,
    )
    public: bool = setting(True, "Whether new rooms are named in the list of rooms.", reload=True)
