from __future__ import annotations

import pytest

from parley.edges.xmpp.federation.kinds import kind_of
from parley.edges.xmpp.federation.ports import Kind


@pytest.mark.parametrize(
    ("stanza", "kind"),
    [
        ('<message to="a@b.example"><body>x</body></message>', Kind.MESSAGES),
        ('<message type="groupchat" to="a@b.example"/>', Kind.ROOMS),
        ('<message to="a@b.example" type="groupchat"/>', Kind.ROOMS),
        ('<message to="a@b.example"><x xmlns="http://jabber.org/protocol/muc#user"/></message>', Kind.ROOMS),
        ('<presence><x xmlns="http://jabber.org/protocol/muc"/></presence>', Kind.ROOMS),
        ('<message><body>type="groupchat"</body></message>', Kind.MESSAGES),
        ('<message><x xmlns="jabber:x:oob"><url>u</url></x></message>', Kind.FILES),
        ('<iq><j xmlns="urn:xmpp:jingle:1"><d xmlns="urn:xmpp:jingle:apps:file-transfer:5"/></j></iq>', Kind.FILES),
        ('<presence type="subscribe"/>', Kind.PRESENCE),
        ('<iq type="get" id="1"><ping xmlns="urn:xmpp:ping"/></iq>', Kind.REQUESTS),
    ],
)
def test_kinds_of_stanzas(stanza: str, kind: Kind) -> None:
    assert kind_of(stanza.encode()) is kind


def test_what_is_for_a_room_is_about_it() -> None:
    assert kind_of(b"<presence/>", is_for_room=True) is Kind.ROOMS
