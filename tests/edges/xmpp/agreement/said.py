"""What devices of the model say: stanzas with a name each, by which they are known again wherever they turn up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..harness import address

ROOM = "cave@conference.example.org"
NS_RETRACT = "urn:xmpp:message-retract:1"
NS_DISPLAYED = "urn:xmpp:mds:displayed:0"
NS_SID = "urn:xmpp:sid:0"


class Kind(Enum):
    CHAT = "chat"
    MARKER = "marker"
    RETRACTION = "retraction"
    CORRECTION = "correction"
    ROOM = "room"
    ROOM_RETRACTION = "room retraction"
    SUBJECT = "subject"
    PRIVATE = "private"
    SYNC = "sync"

    @property
    def is_of_room(self) -> bool:
        return self in (Kind.ROOM, Kind.ROOM_RETRACTION, Kind.SUBJECT)

    @property
    def is_of_people(self) -> bool:
        """Whether it goes from person to person, and into both archives."""
        return self in (Kind.CHAT, Kind.MARKER, Kind.RETRACTION, Kind.CORRECTION)

    @property
    def has_words(self) -> bool:
        """Whether it counts as unread."""
        return self in (Kind.CHAT, Kind.CORRECTION)


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a device says.

    Attributes:
        token: its name, which is its id, its origin-id and its text.
        by: the device, such as `alice/phone`.
        to: a person, a device, or for private messages a nickname.
        target: the token of what it is about.
        target_id: the id that an archive gave that; a marker that has it tells it the own devices as well.
        has_fallback: whether a retraction has a word for software that does not know it.
        is_named: whether it has an origin-id, by which it is known when it comes again.
    """

    token: str
    by: str
    kind: Kind
    to: str = ""
    target: str = ""
    target_id: str = ""
    has_fallback: bool = False
    is_named: bool = True

    @property
    def author(self) -> str:
        return self.by.partition("/")[0]

    @property
    def recipient(self) -> str:
        return self.to.partition("/")[0]

    @property
    def xml(self) -> str:
        if self.kind is Kind.SYNC:
            return self._sync()
        content = self._content() + (f"<origin-id xmlns='{NS_SID}' id='{self.token}'/>" if self.is_named else "")
        to, kind = address(self.to), "chat"
        if self.kind.is_of_room:
            to, kind = ROOM, "groupchat"
        elif self.kind is Kind.PRIVATE:
            to = f"{ROOM}/{self.to}"
            content += "<x xmlns='http://jabber.org/protocol/muc#user'/>"
        return f"<message type='{kind}' id='{self.token}' to='{to}'>{content}</message>"

    def _content(self) -> str:
        body = f"<body>{self.token}</body>"
        if self.kind is Kind.SUBJECT:
            return f"<subject>{self.token}</subject>"
        if self.kind is Kind.MARKER:
            marker = f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{self.target}'/>"
            return marker + (self._seen() if self.target_id else "")
        if self.kind is Kind.CORRECTION:
            return f"{body}<replace xmlns='urn:xmpp:message-correct:0' id='{self.target}'/>"
        if self.kind in (Kind.RETRACTION, Kind.ROOM_RETRACTION):
            named = self.target_id if self.kind is Kind.ROOM_RETRACTION else self.target
            return f"<retract xmlns='{NS_RETRACT}' id='{named}'/>{body if self.has_fallback else ''}"
        return body

    def _sync(self) -> str:
        """XEP-0490 §3: an item of the node, named after the conversation."""
        item = f"<item id='{address(self.to)}'>{self._seen()}</item>"
        publish = f"<publish node='{NS_DISPLAYED}'>{item}</publish>{_OPTIONS}"
        return f"<iq type='set' id='{self.token}'><pubsub xmlns='{_PUBSUB}'>{publish}</pubsub></iq>"

    def _seen(self) -> str:
        seen = f"<stanza-id xmlns='{NS_SID}' by='{address(self.author)}' id='{self.target_id}'/>"
        return f"<displayed xmlns='{NS_DISPLAYED}'>{seen}</displayed>"


_PUBSUB = "http://jabber.org/protocol/pubsub"
_FIELDS = {
    "FORM_TYPE": f"{_PUBSUB}#publish-options",
    "pubsub#persist_items": "true",
    "pubsub#max_items": "max",
    "pubsub#send_last_published_item": "never",
    "pubsub#access_model": "whitelist",
}
_FORM = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in _FIELDS.items())
_OPTIONS = f"<publish-options><x xmlns='jabber:x:data' type='submit'>{_FORM}</x></publish-options>"
