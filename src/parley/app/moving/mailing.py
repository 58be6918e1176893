"""The messages of an account that moves in: its archive, and what of it, or beside it, waits for the account still."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from parley.domain.messages import Appended, Confidentiality, Direction, MailboxEntry, NewMessage
from parley.edges.xmpp.delivery.traits import kind_of, traits_of
from parley.protocols.xmpp.element import Element, restamp
from parley.protocols.xmpp.errors import PayloadError, RemoteProtocolError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_CLIENT

if TYPE_CHECKING:
    from parley.app.moving.records import AccountRecord
    from parley.domain.accounts import Account
    from parley.domain.errors import StorageUnavailable
    from parley.storage.sqlite.store import SqliteStorage

_BATCH: Final = 500
_Key = tuple[str, str, str]


class Mailing:
    """Reads one account's messages as they are to be stored.

    Args:
        record: what moves.
        account: where to.
        new_id: makes ids of messages.
        now: microseconds since the epoch, for messages of an unknown time.
        is_archiving: whether archives are kept here; without, only what waits is stored.
    """

    def __init__(
        self, record: AccountRecord, account: Account, new_id: Callable[[], str], now: int, *, is_archiving: bool
    ) -> None:
        self._record = record
        self._account = account
        self._new_id = new_id
        self._now = now
        self._is_archiving = is_archiving
        self._waiting: defaultdict[_Key, list[int]] = defaultdict(list)
        self.ids: dict[str, str] = {}
        """The ids of archived messages here, by those that they had."""

    def messages(self) -> Iterator[NewMessage]:
        """All of them, the archive first; raises PayloadError, JIDError."""
        waiting = [(Element.from_bytes(stanza), at) for stanza, at in self._record.messages]
        for number, (element, _) in enumerate(waiting):
            self._waiting[_key(element)].append(number)
        if self._is_archiving:
            yield from self._archived()
        left = {number for numbers in self._waiting.values() for number in numbers}
        is_archived = self._is_archiving and not self._record.archive
        for number, (element, at) in enumerate(waiting):
            if number in left:
                yield self._message(element, at, is_archived=is_archived, is_mailed=True)

    def _archived(self) -> Iterator[NewMessage]:
        faults = of_rooms = 0
        for each in self._record.archive:
            try:
                element = Element.from_bytes(each.stanza)
                if kind_of(element) == "groupchat":
                    of_rooms += 1
                    continue
                numbers = self._waiting.get(_key(element))
                message = self._message(element, each.at, is_archived=True, is_mailed=bool(numbers))
            except RemoteProtocolError:
                faults += 1
                continue
            if numbers:
                # It is the same message: it comes once, with the id that the archive knows it by.
                numbers.pop(0)
            if each.id:
                self.ids[each.id] = message.id
            yield message
        for count, what in ((of_rooms, "of rooms"), (faults, "that cannot be read")):
            if count:
                self._record.remarks.append(f"archive: {count} messages {what} were left out")

    def _message(self, element: Element, at: int, *, is_archived: bool, is_mailed: bool) -> NewMessage:
        own = JID.parse(self._account.address)
        sender = JID.parse(element.from_) if element.from_ else own
        to = JID.parse(element.to) if element.to else own
        is_sent = sender.bare == own and to.bare != own
        if not is_sent and to.bare != own:
            # What waits for somebody, and what came to them, came to them, under whatever name.
            to = own
        direction, peer = (Direction.OUT, to) if is_sent else (Direction.IN, sender)
        traits = traits_of(element, kind_of(element))
        entry = MailboxEntry(self._account.id, str(peer.bare), direction, is_archived, is_mailed and not is_sent)
        return NewMessage(
            id=self._new_id(),
            received_at=at or self._now,
            sender=str(sender),
            recipient=str(to),
            confidentiality=Confidentiality.SEALED if traits.is_sealed else Confidentiality.MANAGED,
            content=restamp(element, from_=str(sender), to=str(to)),
            entries=(entry,),
            has_content=traits.has_content,
            client_id=element.id or "",
        )


async def store_messages(storage: SqliteStorage, messages: Iterator[NewMessage]) -> None:
    """Write messages to the log, in order; raises StorageUnavailable, and what reading them raises."""
    while batch := list(itertools.islice(messages, _BATCH)):
        loop = asyncio.get_running_loop()
        outcomes: list[asyncio.Future[Appended | StorageUnavailable]] = [loop.create_future() for _ in batch]
        for message, done in zip(batch, outcomes, strict=True):
            storage.messages.append(message, done.set_result)
        for outcome in await asyncio.gather(*outcomes):
            if not isinstance(outcome, Appended):
                raise outcome


def _key(element: Element) -> _Key:
    """What is the same of a message that waits and of the one in the archive."""
    if element.name != "message":
        raise PayloadError("not a message")
    return (element.from_ or "", element.id or "", element.text_of(NS_CLIENT, "body") or "")
