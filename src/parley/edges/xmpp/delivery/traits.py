"""What a message is to the server: kept, mailed, copied, sealed. Read off the names of its children."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from parley.protocols.xmpp import namespaces as ns
from parley.protocols.xmpp.element import Element

NS_PARLEY_VOICE: Final = "urn:parley:voice:0"
NS_RETRACT: Final = "urn:xmpp:message-retract:1"
NS_JINGLE_MESSAGE: Final = "urn:xmpp:jingle-message:0"
NS_NICK: Final = "http://jabber.org/protocol/nick"
NS_EVENT: Final = "jabber:x:event"
NS_ENCRYPTION: Final = "urn:xmpp:eme:0"
NS_REACTIONS: Final = "urn:xmpp:reactions:0"
NS_FASTEN: Final = "urn:xmpp:fasten:0"
NS_FILE_SHARING: Final = "urn:xmpp:sfs:0"
NS_CONFERENCE: Final = "jabber:x:conference"
NS_MUC_USER: Final = "http://jabber.org/protocol/muc#user"
NS_DISPLAYED_SYNC: Final = "urn:xmpp:mds:displayed:0"

_CONTENT: Final = 1
_SEALED: Final = 2
_STORE: Final = 4
_NO_STORE: Final = 8
_NO_PERMANENT_STORE: Final = 16
_NO_COPY: Final = 32
_COPIED: Final = 64
_STANZA_ID: Final = 128
_WORDS: Final = 256
_PRIVATE: Final = 512
_PAYLOAD: Final = 1024
_DISPLAYED: Final = 2048
_RETRACTS: Final = 4096
_ASSISTS: Final = 8192
_ROOM: Final = 16384

_FLAGS: Final = MappingProxyType(
    {
        (ns.NS_CLIENT, "body"): _CONTENT | _COPIED | _WORDS,
        (ns.NS_OMEMO_LEGACY, "encrypted"): _CONTENT | _COPIED | _WORDS | _SEALED,
        (ns.NS_OMEMO, "encrypted"): _CONTENT | _COPIED | _WORDS | _SEALED,
        (ns.NS_RECEIPTS, "received"): _CONTENT | _COPIED,
        (ns.NS_RECEIPTS, "request"): _COPIED,
        (ns.NS_CHAT_MARKERS, "received"): _CONTENT | _COPIED,
        (ns.NS_CHAT_MARKERS, "displayed"): _CONTENT | _COPIED | _DISPLAYED,
        (ns.NS_CHAT_MARKERS, "acknowledged"): _CONTENT | _COPIED | _DISPLAYED,
        (NS_PARLEY_VOICE, "heard"): _CONTENT | _COPIED,
        (NS_RETRACT, "retract"): _CONTENT | _COPIED | _RETRACTS,
        **{
            (NS_JINGLE_MESSAGE, name): _CONTENT | _COPIED
            for name in ("propose", "ringing", "proceed", "reject", "retract", "finish")
        },
        **{(ns.NS_CHAT_STATES, name): _COPIED for name in ("active", "composing", "paused", "inactive", "gone")},
        # XEP-0444, 0422 (retraction as it was before), 0447: what people say or do without a body.
        (NS_REACTIONS, "reactions"): _CONTENT | _COPIED,
        (NS_FASTEN, "apply-to"): _CONTENT | _COPIED,
        (NS_FILE_SHARING, "file-sharing"): _CONTENT | _COPIED | _WORDS,
        # Invitations: XEP-0249, XEP-0045 §7.8.2.
        (NS_CONFERENCE, "x"): _PAYLOAD | _COPIED,
        (NS_MUC_USER, "x"): _PAYLOAD | _COPIED | _ROOM,
        (NS_DISPLAYED_SYNC, "displayed"): _ASSISTS,
        (ns.NS_HINTS, "store"): _STORE,
        (ns.NS_HINTS, "no-store"): _NO_STORE,
        (ns.NS_HINTS, "no-storage"): _NO_STORE,
        (ns.NS_HINTS, "no-permanent-store"): _NO_PERMANENT_STORE,
        (ns.NS_HINTS, "no-permanent-storage"): _NO_PERMANENT_STORE,
        (ns.NS_HINTS, "no-copy"): _NO_COPY,
        (ns.NS_CARBONS, "private"): _NO_COPY | _PRIVATE,
        (ns.NS_STANZA_IDS, "stanza-id"): _STANZA_ID,
        # What says something about a message and is none itself.
        (ns.NS_CLIENT, "thread"): 0,
        (ns.NS_CHAT_MARKERS, "markable"): 0,
        (ns.NS_STANZA_IDS, "origin-id"): 0,
        (ns.NS_DELAY, "delay"): 0,
        (NS_NICK, "nick"): 0,
        (NS_EVENT, "x"): 0,
        (NS_ENCRYPTION, "encryption"): 0,
    }
)
_TYPES: Final = frozenset({"chat", "normal", "headline", "groupchat", "error"})
_NOT_KEPT_TYPES: Final = frozenset({"error", "groupchat", "headline"})


@dataclass(frozen=True, slots=True)
class Traits:
    """See `traits_of`. `is_private` and `claims_stanza_id` tell of children that do not go on.

    `tells_displayed`: it says that its sender has seen what came (XEP-0333); `retracts`: it takes another one back;
    `assists`: a child is for the sender's own server (XEP-0490 §4.5). `is_of_room`: it has to do with a room, as
    invitations and private words of its occupants have (XEP-0045 §7.5).
    """

    is_archived: bool
    is_mailed: bool
    is_copied: bool
    has_content: bool
    is_sealed: bool
    is_private: bool
    claims_stanza_id: bool
    tells_displayed: bool
    retracts: bool
    assists: bool
    is_of_room: bool


def traits_of(element: Element, kind: str) -> Traits:
    """What to do with a message of type `kind`.

    Archived (XEP-0313 §5.1.1): what a person would miss in the history, unless a hint says no (XEP-0334). Mailed, that
    is kept for a recipient who is away (XEP-0160 §3): every chat and every normal message that carries anything but
    chat states, what it carries known here or not. Copied to other devices: XEP-0280 §6.1.
    """
    flags = 0
    for namespace, name, _start, _end in element.children:
        flags |= _FLAGS.get((namespace, name), _PAYLOAD)
    return _traits(flags, kind)


def kind_of(element: Element) -> str:
    """The type of a message; RFC 6121 §5.2.2: one that is unknown is as good as `normal`."""
    return element.type if element.type in _TYPES else "normal"


# Every message of one kind is like the others of it, and there are few kinds.
@lru_cache(maxsize=4096)
def _traits(flags: int, kind: str) -> Traits:
    is_conversation = kind not in _NOT_KEPT_TYPES
    may_be_kept = is_conversation and not flags & _NO_STORE
    return Traits(
        is_archived=may_be_kept and bool(flags & (_CONTENT | _STORE)) and not flags & _NO_PERMANENT_STORE,
        is_mailed=may_be_kept and bool(flags & (_CONTENT | _STORE | _PAYLOAD)),
        is_copied=is_conversation and not flags & _NO_COPY and (kind == "chat" or bool(flags & _COPIED)),
        has_content=bool(flags & _WORDS),
        is_sealed=bool(flags & _SEALED),
        is_private=bool(flags & _PRIVATE),
        claims_stanza_id=bool(flags & _STANZA_ID),
        tells_displayed=bool(flags & _DISPLAYED),
        retracts=bool(flags & _RETRACTS),
        assists=bool(flags & _ASSISTS),
        is_of_room=bool(flags & _ROOM),
    )
