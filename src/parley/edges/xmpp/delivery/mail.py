"""Mailboxes and the sessions that empty them: nothing that waits is forgotten, nothing is sent to one session twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable
from parley.domain.mailboxes import Mailbox
from parley.edges.xmpp.delivery.decoration import delayed, with_stanza_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parley.domain.accounts import Account
    from parley.domain.messages import StoredMessage
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)

_PAGE: Final = 100
_RETRY_S: Final = 1.0
_LONGEST_RETRY_S: Final = 60.0
_ROOM_S: Final = 0.05
_KEPT: Final = 10_000


class Mail:
    """The mailboxes of the accounts that somebody is connected to."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._boxes: dict[int, Mailbox[Session]] = {}
        self._kept: dict[int, None] = {}
        """Accounts that nobody is connected to and whose mailbox knows something, those who went first in front."""
        self._settling: dict[Mailbox[Session], bool] = {}
        """Those whose cursor is being moved behind what was delivered aside, and whether there is more of it by now."""

    def ready(self, session: Session) -> None:
        """The session can take messages for its bare address."""
        box = self._box(session.account.id)
        if box.wake():
            self._start(session.account, box)

    def restored(self, session: Session, delivered: Iterable[int]) -> None:
        """A session of an earlier process was made anew; the log may not know that what is at `delivered` was."""
        unacked = () if session.sm is None else session.sm.unacked()
        self._box(session.account.id).restore(session, (sent.seq for sent in unacked if sent.seq), delivered)

    def arrived(self, account_id: int, seq: int) -> bool:
        """A message for the account was committed. True when it is to be sent now."""
        box = self._boxes.get(account_id)
        return box is not None and box.arrived(seq)

    def aside(self, session: Session, seq: int) -> bool:
        """A message for this session alone was committed, which takes no mail. True when it is to be sent now."""
        return self._box(session.account.id).put_aside(seq, session)

    def sent(self, session: Session, seq: int) -> None:
        """A message of the log went out to the session; 0 for what is not from there."""
        if seq:
            box = self._boxes.get(session.account.id)
            if box is not None:
                box.sent(seq, session)

    def delivered(self, account: Account, seq: int) -> None:
        """A message of the log has arrived."""
        box = self._boxes.get(account.id)
        if not seq or box is None:
            return
        cursor = box.delivered(seq)
        if cursor is not None:
            self._host.stores.messages.delivered(account.id, cursor)
        elif box.is_settled(seq):
            is_running = box in self._settling
            self._settling[box] = True
            if not is_running:
                self._host.supervisor.spawn("settle", self._settle(account, box))

    async def _settle(self, account: Account, box: Mailbox[Session]) -> None:
        """Move the cursor behind what was delivered aside, as far as nothing waits before it."""
        try:
            while self._settling[box]:
                self._settling[box] = False
                page = await self._host.stores.messages.pending(account.id, 0, _PAGE)
                cursor = box.settled(message.seq for message in page)
                if cursor is not None:
                    self._host.stores.messages.delivered(account.id, cursor)
                    self._settling[box] = True
        except StorageUnavailable as error:
            # It is delivered once more, later: that is what a cursor that did not move means.
            log.error("waiting messages cannot be read", code=error.code)
        finally:
            del self._settling[box]

    def resting(self, session: Session) -> None:
        """The session takes no more messages for its bare address; those on their way to it are its own still."""
        account = session.account
        box = self._boxes.get(account.id)
        if box is not None and not self._host.router.mail_ready(account.address):
            box.sleep()

    def lost(self, session: Session) -> None:
        """The session is over."""
        account = session.account
        box = self._boxes.get(account.id)
        if box is None:
            return
        is_orphaned = box.lost(session)
        if not self._host.router.mail_ready(account.address):
            box.sleep()
            if not self._host.router.of(account.address):
                self._forget(account.id, box)
        elif is_orphaned:
            box.rewind()
            self._start(account, box)

    def _forget(self, account_id: int, box: Mailbox[Session]) -> None:
        """Nobody of the account is there: what was delivered past waiting mail is all that is still to be known."""
        del self._boxes[account_id]
        if not box.is_worth_keeping:
            return
        self._boxes[account_id] = box
        self._kept[account_id] = None
        while len(self._kept) > _KEPT:
            oldest = next(iter(self._kept))
            del self._kept[oldest], self._boxes[oldest]

    def _box(self, account_id: int) -> Mailbox[Session]:
        """The mailbox of an account that somebody is connected to."""
        self._kept.pop(account_id, None)
        return self._boxes.setdefault(account_id, Mailbox())

    def _start(self, account: Account, box: Mailbox[Session]) -> None:
        self._host.supervisor.spawn("catch up", self._catch_up(account, box))

    async def _catch_up(self, account: Account, box: Mailbox[Session]) -> None:
        run, retry_s = box.run, _RETRY_S
        while box.is_catching_up(run):
            box.fetching()
            try:
                page = await self._host.stores.messages.pending(account.id, box.fetched, _PAGE)
            except StorageUnavailable as error:
                log.error("waiting messages cannot be read", code=error.code)
                await self._host.clock.sleep(retry_s)
                retry_s = min(retry_s * 2, _LONGEST_RETRY_S)
                continue
            if not box.is_catching_up(run):
                return
            if not self._host.router.mail_ready(account.address):
                box.sleep()
                return
            for message in page:
                await self._room(account)
                if not box.is_catching_up(run):
                    return
                is_settled = box.is_settled(message.seq)
                if box.take(message.seq):
                    self._hand_out(account, message)
                elif is_settled:
                    self.delivered(account, message.seq)
            if len(page) < _PAGE and box.caught_up():
                return

    async def _room(self, account: Account) -> None:
        """Wait until one of the sessions has room; those that take nothing must not hold up the others."""
        deadline = self._host.clock.monotonic() + self._host.settings.limits.ping_timeout_s
        while self._host.clock.monotonic() < deadline:
            ready = self._host.router.mail_ready(account.address)
            if not ready or any(session.has_room for session in ready):
                return
            await self._host.clock.sleep(_ROOM_S)

    def _hand_out(self, account: Account, message: StoredMessage) -> None:
        stanza = message.content
        if not self._host.settings.archive.enabled or message.is_archived:
            stanza = with_stanza_id(stanza, account.address, message.id)
        stanza = delayed(stanza, account.domain, message.received_at)
        # RFC 6121 §8.5.3.1: what is for a device goes there and nowhere else; the others had copies when it came.
        exact = self._host.router.of(account.address).get(message.recipient.partition("/")[2])
        targets = self._host.router.mail_ready(account.address) if exact is None else (exact,)
        for session in targets:
            session.send(stanza, message.seq)
        if self._host.journal.is_uncopied(message.seq):
            self._host.messages.carbons.make_up_for(account, stanza, targets, message.seq)
