"""Which messages are kept, waited with, copied: by what is in them."""

from __future__ import annotations

import pytest

from parley.edges.xmpp.delivery.traits import Traits, kind_of, traits_of
from parley.protocols.xmpp.element import Element

BODY = "<body>hello</body>"


def traits(content: str, kind: str = "chat") -> Traits:
    element = Element.from_bytes(f"<message type='{kind}'>{content}</message>".encode())
    return traits_of(element, kind_of(element))


# What is in it; archived, mailed, copied as a chat, copied as a normal message.
TABLE = {
    "body": (BODY, "a m c n"),
    "styling": ("<body>*hello*</body><unstyled xmlns='urn:xmpp:styling:0'/>", "a m c n"),
    "correction": (BODY + "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>", "a m c n"),
    "fallback": (BODY + "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'/>", "a m c n"),
    "reply": (BODY + "<reply xmlns='urn:xmpp:reply:0' id='1' to='b@x'/>", "a m c n"),
    "reaction": ("<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>!</reaction></reactions>", "a m c n"),
    "file": ("<file-sharing xmlns='urn:xmpp:sfs:0'><file xmlns='urn:xmpp:file:metadata:0'/></file-sharing>", "a m c n"),
    "file beside": (BODY + "<file xmlns='urn:xmpp:file:metadata:0'/>", "a m c n"),
    "retraction": ("<retract xmlns='urn:xmpp:message-retract:1' id='1'/>", "a m c n"),
    "retraction of before": (
        "<apply-to xmlns='urn:xmpp:fasten:0' id='1'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>",
        "a m c n",
    ),
    "invitation": ("<x xmlns='jabber:x:conference' jid='room@x'/>", "m c n"),
    "invitation of a room": (
        "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='b@x'/></x>",
        "m c n",
    ),
    "receipt": ("<received xmlns='urn:xmpp:receipts' id='1'/>", "a m c n"),
    "marker": ("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", "a m c n"),
    "call": ("<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>", "a m c n"),
    "sealed": ("<encrypted xmlns='urn:xmpp:omemo:2'/>", "a m c n"),
    "typing": ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", "c n"),
    "unknown": ("<x xmlns='urn:x'/>", "m c"),
    "nothing": ("", "c"),
    "hint: store": ("<x xmlns='urn:x'/><store xmlns='urn:xmpp:hints'/>", "a m c"),
    "hint: no-store": (BODY + "<no-store xmlns='urn:xmpp:hints'/>", "c n"),
    "hint: no-permanent-store": (BODY + "<no-permanent-store xmlns='urn:xmpp:hints'/>", "m c n"),
    "hint: no-copy": (BODY + "<no-copy xmlns='urn:xmpp:hints'/>", "a m"),
    "private": (BODY + "<private xmlns='urn:xmpp:carbons:2'/>", "a m"),
    "assistance": ("<displayed xmlns='urn:xmpp:mds:displayed:0'/>", "c"),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_becomes_of_a_message(name: str) -> None:
    content, expected = TABLE[name]
    chat, normal = traits(content), traits(content, "normal")
    told = {"a": chat.is_archived, "m": chat.is_mailed, "c": chat.is_copied, "n": normal.is_copied}
    assert " ".join(letter for letter, is_so in told.items() if is_so) == expected
    assert (normal.is_archived, normal.is_mailed) == (chat.is_archived, chat.is_mailed)


@pytest.mark.parametrize("kind", ["error", "groupchat", "headline"])
def test_what_is_never_kept(kind: str) -> None:
    found = traits(BODY, kind)
    assert (found.is_archived, found.is_mailed, found.is_copied) == (False, False, False)
