"""Resuming a session in place of binding a resource (XEP-0198 §5), after signing in or together with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.protocols.xmpp.errors import HandledCountTooHigh, PayloadError, StanzaCondition, StreamCondition
from parley.protocols.xmpp.stream_management import failed, parse_h, resumed

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.clients.connection import Connection
    from parley.edges.xmpp.clients.session import Session
    from parley.protocols.xmpp.element import Element

log = logs.get(__name__)


def resume(connection: Connection, account: Account, element: Element) -> None:
    """Handle an element of stream management on a stream that is authenticated and has no session."""
    if element.name != "resume":
        # XEP-0198 §3: enabling is for bound streams.
        connection.send(failed(StanzaCondition.UNEXPECTED_REQUEST))
        return
    session, refusal = _asked(connection, account, element)
    if session is None:
        connection.send(refusal)
    elif _take_over(connection, session, element):
        # What the old stream brought is still on its way to the log: until it is there, nobody can say how far it came.
        session.when_settled(lambda is_settled: _complete(connection, session, is_settled=is_settled))


async def resume_inline(connection: Connection, account: Account, element: Element) -> tuple[Session | None, bytes]:
    """Resume a session while its client signs in.

    Returns:
        the session and `<resumed/>`; without a session `<failed/>`, or nothing when the stream has ended.
    """
    session, refusal = _asked(connection, account, element)
    if session is None:
        return None, refusal
    if not _take_over(connection, session, element):
        return None, b""
    is_settled = await _settled(session)
    if not connection.is_open:
        return None, b""
    if session.sm is None or not is_settled:
        return None, _refusal(connection, account, session.sm_id)
    _attach(connection, session)
    answer = resumed(session.sm_id, session.sm.h)
    _replay(connection, session)
    return session, answer


async def _settled(session: Session) -> bool:
    answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def answered(is_settled: bool) -> None:
        if not answer.done():
            answer.set_result(is_settled)

    session.when_settled(answered)
    return await answer


def _asked(connection: Connection, account: Account, element: Element) -> tuple[Session | None, bytes]:
    """The session that `<resume/>` asks for, or the `<failed/>` that answers (XEP-0198 §5, §6)."""
    host, sm_id = connection.host, element.attrs.get("previd", "")
    if host.settings.limits.sm_resume_timeout_s <= 0:
        return None, failed(StanzaCondition.FEATURE_NOT_IMPLEMENTED)
    try:
        parse_h(element)
    except PayloadError:
        return None, failed(StanzaCondition.BAD_REQUEST)
    session = host.sessions.resumable(sm_id, account.id)
    if session is None or session.sm is None:
        return None, _refusal(connection, account, sm_id)
    return session, b""


def _refusal(connection: Connection, account: Account, sm_id: str) -> bytes:
    # XEP-0198 §5: with the count the client need not send again what was handled.
    return failed(StanzaCondition.ITEM_NOT_FOUND, connection.host.sessions.ended_at(sm_id, account.id))


def _take_over(connection: Connection, session: Session, element: Element) -> bool:
    """Note what the client acknowledges and end the stream that the session was on; False when this one ended."""
    try:
        session.acknowledged(parse_h(element))
    except HandledCountTooHigh as error:
        connection.fail(error.condition, error.text, error.application)
        return False
    if session.connection is not None:
        # The client noticed first that the old connection is dead.
        session.connection.release(StreamCondition.CONFLICT)
        # Until the resumption is complete the session waits for one: this stream may break as well.
        connection.host.sessions.connection_lost(session)
    if session.sm is not None:
        session.sm.forget_requests()
    return True


def _complete(connection: Connection, session: Session, *, is_settled: bool) -> None:
    if session.sm is None or not is_settled:
        connection.send(_refusal(connection, session.account, session.sm_id))
        return
    if not connection.is_open or connection.session is not None:
        return  # gone, or it did not wait and bound a resource
    _attach(connection, session)
    connection.send(resumed(session.sm_id, session.sm.h))
    _replay(connection, session)


def _attach(connection: Connection, session: Session) -> None:
    connection.host.sessions.reattached(session)
    connection.resumed(session)


def _replay(connection: Connection, session: Session) -> None:
    if session.sm is not None:
        for sent in session.sm.unacked():
            connection.send(sent.stanza)
        connection.acknowledgement_due(session.sm.outstanding)
    log.debug("session resumed", pii={"jid": session.jid})
