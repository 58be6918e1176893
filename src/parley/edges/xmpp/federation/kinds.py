"""What a stanza is to an agreement with a partner."""

from __future__ import annotations

import re
from typing import Final

from parley.edges.xmpp.federation.ports import Kind

# Names of namespaces are looked for in the bytes: a stanza is not parsed for it. Text that only looks like one makes
# its own stanza count as something that it is not, to nobody's gain.
_ROOMS: Final = (b"http://jabber.org/protocol/muc", b"jabber:x:conference", b"urn:xmpp:mix:")
_FILES: Final = (
    b"jabber:x:oob",
    b"urn:xmpp:sfs:",
    b"urn:xmpp:sims:",
    b"urn:xmpp:jingle:apps:file-transfer:",
    b"http://jabber.org/protocol/si/profile/file-transfer",
    b"http://jabber.org/protocol/bytestreams",
    b"http://jabber.org/protocol/ibb",
)
_GROUPCHAT: Final = re.compile(rb"""<message\s(?:[^>]*?\s)?type\s*=\s*["']groupchat["']""")


def kind_of(stanza: bytes, *, is_for_room: bool = False) -> Kind:
    """The kind of a stanza in canonical outer form; `is_for_room`: one of its addresses is a room of ours."""
    if is_for_room or _GROUPCHAT.match(stanza) or any(name in stanza for name in _ROOMS):
        return Kind.ROOMS
    if any(name in stanza for name in _FILES):
        return Kind.FILES
    if stanza.startswith(b"<message"):
        return Kind.MESSAGES
    return Kind.PRESENCE if stanza.startswith(b"<presence") else Kind.REQUESTS
