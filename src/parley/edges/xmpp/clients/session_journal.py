"""What of the sessions outlives the process: a client resumes over a restart of the server as over a lost connection.

Of each session that can be resumed the journal holds what its resumption needs: how many stanzas of the client are
handled, what was sent to it and not acknowledged, its presence and the like. What happens in one turn of the loop is
written before any bytes of that turn leave, so that the client never knows of more than the journal does.

The log is synced and the journal is not, so after a crash the log may know of messages that the journal does not count
as handled yet. Their clients will send them again: what is to be recognised then (`Origin.expect_again`) is kept until
they have. Others may know of them: what a crash kept from them is made up for at the start (`is_uncopied`,
`unsaid`).
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from parley.base import log as logs
from parley.edges.xmpp.clients.session import Presence, Sent, Session
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.stream_management import StreamManagement

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.domain.ports import Journal
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)

_OPENED, _SENT, _ACKED, _HANDLED, _STATE, _ENDED, _AGAIN, _AGAIN_LEFT, _ROUTED, _SAYING, _SAID = range(1, 12)
_RECORD: Final = struct.Struct(">BII")  # kind, number of the session, length of what follows
_NUMBER: Final = struct.Struct(">Q")
_TWO_NUMBERS: Final = struct.Struct(">QQ")
_ACKED_KEPT: Final = 256
_MAX_REPEATS: Final = 100_000


@dataclass(slots=True)
class Kept:
    """A session as the journal knows it, and what was written of it last."""

    number: int
    opened: dict[str, Any]
    state: dict[str, Any] = field(default_factory=dict)
    handled: int = 0
    acked: int = 0
    unacked: deque[Sent] = field(default_factory=deque)
    delivered: deque[int] = field(default_factory=lambda: deque(maxlen=_ACKED_KEPT))
    """Places in the log of messages that the client acknowledged last: the log's cursor may not have moved yet."""
    again: deque[bytes] = field(default_factory=deque)
    """Messages that the client will send again."""
    again_left: int = 0
    seen: tuple[object, ...] = ()


class SessionJournal:
    """Writes down what changes sessions, and makes them anew at the start. Without `journal` it does nothing."""

    def __init__(self, host: Host, journal: Journal | None) -> None:
        self._host = host
        self._journal = journal
        self._kept: dict[Session, Kept] = {}
        self._last_number = 0
        self._buffer: list[bytes] = []
        self._touched: dict[Session, None] = {}
        self._seq = 0
        self._routed = self._routed_written = 0
        self._saying: dict[str, list[str]] = {}
        self._behind = self._restored_to = 0
        """What the log had between these places at the start went to nobody before the crash."""

    # What happens to sessions.

    def opened(self, session: Session) -> None:
        """The session can be resumed from now on."""
        if self._journal is None:
            return
        self._last_number += 1
        kept = self._kept[session] = Kept(self._last_number, _opened(session))
        session.is_journaled = True
        self._put(_OPENED, kept.number, _json(kept.opened))
        self.handled(session)

    def sent(self, session: Session, stanza: bytes, seq: int) -> None:
        """A stanza goes out to a session that is kept."""
        self._put(_SENT, self._kept[session].number, _NUMBER.pack(seq) + stanza)

    def acked(self, session: Session, seqs: list[int]) -> None:
        """The client acknowledged; the messages of the log among it are at `seqs`."""
        self._kept[session].delivered.extend(seqs)
        self._touch(session)

    def handled(self, session: Session) -> None:
        """Something of the client has been handled: its count, and what it may have changed, are to be written."""
        self._touch(session)

    def committed(self, seq: int) -> None:
        """A message was committed, and the count of the session that sent it will be written with this turn."""
        self._seq = max(self._seq, seq)

    def routed(self, seq: int) -> None:
        """A message of the log has gone to whom it is for; what went to sessions is written with this turn."""
        self._routed = max(self._routed, seq)

    def saying(self, message_id: str, *about: str) -> None:
        """A message is about to be written to a room's archive; `said` follows when those inside have it."""
        if self._kept:
            self._saying[message_id] = list(about)
            self._put(_SAYING, 0, _json({message_id: about}))
            self.flush()

    def unsaid(self) -> dict[str, list[str]]:
        """What was told `saying` before a crash and not `said`, by the message's id."""
        return dict(self._saying)

    def said(self, message_id: str) -> None:
        """Those inside have it, or nobody will: it was refused."""
        if self._saying.pop(message_id, None) is not None:
            self._put(_SAID, 0, message_id.encode())

    def ended(self, session: Session) -> None:
        """The session can be resumed no more."""
        session.is_journaled = False
        kept = self._kept.pop(session, None)
        if kept is not None:
            self._touched.pop(session, None)
            self._put(_ENDED, kept.number, b"")

    # The file.

    def flush(self) -> None:
        """Write what happened; called before bytes leave."""
        if not self._buffer and not self._touched:
            return
        for session in self._touched:
            self._write_counts(session, self._kept[session])
        self._touched.clear()
        if self._routed != self._routed_written:
            self._routed_written = self._routed
            self._buffer.append(_record(_ROUTED, 0, _NUMBER.pack(self._routed)))
        payload = b"".join(self._buffer)
        self._buffer.clear()
        if self._journal is None or not payload:
            return
        try:
            if not self._journal.write(payload):
                self._journal.begin(self._snapshot())
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Write what is left."""
        self.flush()
        if self._journal is not None:
            self._journal.close()

    def _give_up(self, error: OSError) -> None:
        # Half of the truth would be worse than none: after a restart, clients sign in anew and ask the archive.
        log.error("the journal of sessions cannot be written; after a restart none is resumed", reason=str(error))
        journal, self._journal = self._journal, None
        for session in self._kept:
            session.is_journaled = False
        self._kept.clear()
        try:
            if journal is not None:
                journal.remove()
        except OSError:
            log.error("the journal of sessions cannot be removed")

    def _touch(self, session: Session) -> None:
        if not self._touched and not self._buffer:
            asyncio.get_running_loop().call_soon(self.flush)
        self._touched[session] = None

    def _put(self, kind: int, number: int, content: bytes) -> None:
        if not self._touched and not self._buffer:
            asyncio.get_running_loop().call_soon(self.flush)
        self._buffer.append(_RECORD.pack(kind, number, len(content)) + content)

    def _write_counts(self, session: Session, kept: Kept) -> None:
        sm = session.sm
        if sm is None:
            return
        number = kept.number
        if sm.acked_count != kept.acked:
            kept.acked = sm.acked_count
            self._buffer.append(_record(_ACKED, number, _NUMBER.pack(kept.acked)))
        if sm.handled_count != kept.handled:
            kept.handled = sm.handled_count
            self._buffer.append(_record(_HANDLED, number, _TWO_NUMBERS.pack(kept.handled, self._seq)))
        if kept.again_left and len(session.expected_again) != kept.again_left:
            kept.again_left = len(session.expected_again)
            self._buffer.append(_record(_AGAIN_LEFT, number, _NUMBER.pack(kept.again_left)))
        seen = _seen(session)
        if seen != kept.seen:
            kept.seen = seen
            self._buffer.append(_record(_STATE, number, _json(_state(session))))

    def _snapshot(self) -> list[bytes]:
        self._routed_written = self._routed
        general = _record(_ROUTED, 0, _NUMBER.pack(self._routed)) + _record(_SAYING, 0, _json(self._saying))
        return [general, *(b"".join(self._whole(session, kept)) for session, kept in self._kept.items())]

    def _whole(self, session: Session, kept: Kept) -> Iterator[bytes]:
        sm, number = session.sm, kept.number
        if sm is None:
            return
        yield _record(_OPENED, number, _json({**kept.opened, "delivered": list(kept.delivered)}))
        kept.handled, kept.acked, kept.seen = sm.handled_count, sm.acked_count, _seen(session)
        # Stanzas count from the start of the session: those acknowledged before are not there any more.
        yield _record(_ACKED, number, _NUMBER.pack(kept.acked))
        yield _record(_HANDLED, number, _TWO_NUMBERS.pack(kept.handled, self._seq))
        yield _record(_STATE, number, _json(_state(session)))
        kept.again_left = len(session.expected_again)
        for content in session.expected_again:
            yield _record(_AGAIN, number, content)
        for sent in sm.unacked():
            yield _record(_SENT, number, _NUMBER.pack(sent.seq) + sent.stanza)

    # The start.

    async def restore(self) -> int:
        """Make the sessions of an earlier process anew, as lost ones that may be resumed; returns how many.

        Raises:
            StorageUnavailable: the log cannot be read.
        """
        if self._journal is None:
            return 0
        host = self._host
        newer_than = host.clock.now_us() - host.settings.limits.sm_resume_timeout_s * 1_000_000
        replay = Replay()
        try:
            for payload in self._journal.read(newer_than):
                replay.add(payload)
        except (OSError, ValueError, KeyError, struct.error) as error:
            log.error("the journal of sessions cannot be read; none is resumed", reason=str(error))
            replay = Replay()
        await self._revive(replay)
        try:
            self._journal.begin(self._snapshot())
        except OSError as error:
            self._give_up(error)
        # Only now: what goes to sessions from here on is written behind the beginning.
        await host.messages.carbons.make_up(self._behind)
        self.routed(self._restored_to)
        return len(self._kept)

    def is_uncopied(self, seq: int) -> bool:
        """Whether a crash came between the commit of a message that waits and its going to whom it is for."""
        return self._behind < seq <= self._restored_to

    async def _revive(self, replay: Replay) -> None:
        host = self._host
        last_seq = await host.stores.messages.last_seq()
        self._routed = self._behind = self._restored_to = last_seq
        if max(replay.seq, replay.routed or 0) > last_seq:
            # The database is an older one than the journal's: a backup was restored.
            log.warning("the journal of sessions is newer than the database; none is resumed")
            return
        # What is behind the journal's place is expected again below, and so is known from here on.
        self._seq, self._saying = last_seq, replay.saying
        if replay.routed is not None:
            self._routed = self._behind = replay.routed
        senders: dict[str, Session] = {}
        for kept in replay.sessions.values():
            account = await self._owner(kept)
            if account is None:
                continue
            await host.blocking.get(account.id)
            session = _revived(host, account, kept)
            self._last_number += 1
            self._kept[session] = Kept(self._last_number, kept.opened, delivered=kept.delivered)
            session.is_journaled = True
            for content in kept.again:
                session.expect_again(content)
            senders[str(session.jid)] = session
        if senders:
            for sender, content in await host.stores.messages.sent_since(replay.seq, _MAX_REPEATS):
                if sender in senders:
                    senders[sender].expect_again(content)
        for session in self._kept:
            host.sessions.restored(session)
            host.mail.restored(session, self._kept[session].delivered)
        for session in self._kept:
            if session.presence is not None and session.presence.priority >= 0:
                host.mail.ready(session)

    async def _owner(self, kept: Kept) -> Account | None:
        """The account of a session that was, if it may still have it."""
        opened = kept.opened
        account = await self._host.stores.directory.find(opened["account"])
        if account is None or account.id != opened["account_id"] or account.is_suspended:
            return None
        devices = await self._host.stores.devices.all(account.id)
        # Its device may have been revoked while the server was down.
        return account if any(device.resource == opened["resource"] for device in devices) else None


class Replay:
    """Reads records in their order. Raises ValueError, KeyError or struct.error for what is none."""

    def __init__(self) -> None:
        self.sessions: dict[int, Kept] = {}
        self.seq = 0
        self.routed: int | None = None
        self.saying: dict[str, list[str]] = {}

    def add(self, payload: bytes) -> None:
        """Take what one turn wrote."""
        offset = 0
        while offset < len(payload):
            kind, number, length = _RECORD.unpack_from(payload, offset)
            offset += _RECORD.size
            self._take(kind, number, payload[offset : offset + length])
            offset += length

    def _take(self, kind: int, number: int, content: bytes) -> None:
        if kind == _OPENED:
            opened = json.loads(content)
            kept = self.sessions[number] = Kept(number, opened)
            kept.delivered.extend(opened.pop("delivered", ()))
        elif kind == _ENDED:
            del self.sessions[number]
        elif kind == _SENT:
            (seq,) = _NUMBER.unpack_from(content)
            self.sessions[number].unacked.append(Sent(content[_NUMBER.size :], seq))
        elif kind == _ACKED:
            self._acked(self.sessions[number], _NUMBER.unpack(content)[0])
        elif kind == _HANDLED:
            self.sessions[number].handled, seq = _TWO_NUMBERS.unpack(content)
            self.seq = max(self.seq, seq)
        elif kind == _AGAIN:
            self.sessions[number].again.append(content)
        elif kind == _AGAIN_LEFT:
            again = self.sessions[number].again
            while len(again) > _NUMBER.unpack(content)[0]:
                again.popleft()
        elif kind == _STATE:
            self.sessions[number].state = json.loads(content)
        else:
            self._take_general(kind, content)

    def _take_general(self, kind: int, content: bytes) -> None:
        if kind == _ROUTED:
            (self.routed,) = _NUMBER.unpack(content)
        elif kind == _SAYING:
            self.saying.update(json.loads(content))
        elif kind == _SAID:
            self.saying.pop(content.decode(), None)
        else:
            raise ValueError(f"unknown record {kind}")

    @staticmethod
    def _acked(kept: Kept, acked: int) -> None:
        # Behind a new beginning the first count comes before the stanzas: there is nothing to take away.
        for _ in range(min((acked - kept.acked) % 2**32, len(kept.unacked))):
            sent = kept.unacked.popleft()
            if sent.seq:
                kept.delivered.append(sent.seq)
        kept.acked = acked


def _record(kind: int, number: int, content: bytes) -> bytes:
    return _RECORD.pack(kind, number, len(content)) + content


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _opened(session: Session) -> dict[str, Any]:
    return {
        "account": session.account.address,
        "account_id": session.account.id,
        "resource": session.jid.resource,
        "sm_id": session.sm_id,
    }


def _seen(session: Session) -> tuple[object, ...]:
    """What tells cheaply that a session's state changed: all of it is replaced when it does, or grows or shrinks."""
    return (
        session.presence,
        len(session.directed),
        session.is_carbons_enabled,
        session.is_roster_requested,
        session.is_blocklist_requested,
        session.notify_nodes,
        session.lang,
    )


def _state(session: Session) -> dict[str, Any]:
    presence = session.presence
    return {
        "presence": None if presence is None else [presence.stanza.decode(), presence.priority, presence.show],
        "directed": [str(jid) for jid in session.directed],
        "carbons": session.is_carbons_enabled,
        "roster": session.is_roster_requested,
        "blocklist": session.is_blocklist_requested,
        "notify": sorted(session.notify_nodes),
        "lang": session.lang,
    }


def _revived(host: Host, account: Account, kept: Kept) -> Session:
    session = Session(host, account, JID.parse(account.address).with_resource(kept.opened["resource"]), None)
    session.sm_id = kept.opened["sm_id"]
    session.sm = StreamManagement.restored(
        host.settings.limits.sm_max_unacked, handled=kept.handled, acked=kept.acked, unacked=kept.unacked
    )
    state = kept.state
    if state.get("presence"):
        stanza, priority, show = state["presence"]
        session.presence = Presence(stanza.encode(), priority, show)
    session.directed = {JID.parse(address) for address in state.get("directed", ())}
    session.is_carbons_enabled = state.get("carbons", False)
    session.is_roster_requested = state.get("roster", False)
    session.is_blocklist_requested = state.get("blocklist", False)
    session.notify_nodes = frozenset(state.get("notify", ()))
    session.lang = state.get("lang", "")
    return session
