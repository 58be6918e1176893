"""Stream management before a resource is bound: `<resume/>` (XEP-0198 §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.protocols.xmpp.errors import HandledCountTooHigh, PayloadError, StanzaCondition, StreamCondition
from parley.protocols.xmpp.stream_management import failed, parse_h, resumed

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.connection import Connection
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.session import Session
    from parley.protocols.xmpp.element import Element

log = logs.get(__name__)


def resume(host: Host, connection: Connection, account: Account, element: Element) -> None:
    """Handle an element of stream management on a stream that is authenticated and has no session."""
    if element.name != "resume":
        # XEP-0198 §3: enabling is for bound streams.
        connection.send(failed(StanzaCondition.UNEXPECTED_REQUEST))
        return
    sm_id = element.attrs.get("previd", "")
    session = host.sessions.resumable(sm_id, account.id)
    if session is None or session.sm is None:
        # XEP-0198 §5: with the count the client need not send again what was handled.
        connection.send(failed(StanzaCondition.ITEM_NOT_FOUND, host.sessions.ended_at(sm_id, account.id)))
        return
    try:
        session.acknowledged(parse_h(element))
    except PayloadError as error:
        connection.fail(StreamCondition.BAD_FORMAT, str(error))
        return
    except HandledCountTooHigh as error:
        connection.fail(error.condition, error.text, error.application)
        return
    if session.connection is not None:
        # The client noticed first that the old connection is dead.
        session.connection.release(StreamCondition.CONFLICT)
        # Until the resumption is complete the session waits for one: this stream may break as well.
        host.sessions.connection_lost(session)
    session.sm.forget_requests()
    # What the old stream brought is still on its way to the log: until it is there, nobody can say how far it came.
    session.when_settled(lambda is_settled: _complete(host, connection, session, is_settled=is_settled))


def _complete(host: Host, connection: Connection, session: Session, *, is_settled: bool) -> None:
    if session.sm is None or not is_settled:
        known = host.sessions.ended_at(session.sm_id, session.account.id)
        connection.send(failed(StanzaCondition.ITEM_NOT_FOUND, known))
        return
    if not connection.is_open or connection.session is not None:
        return  # gone, or it did not wait and bound a resource
    host.sessions.reattached(session)
    connection.resumed(session)
    connection.send(resumed(session.sm_id, session.sm.h))
    for sent in session.sm.unacked():
        connection.send(sent.stanza)
    connection.acknowledgement_due(session.sm.outstanding)
    log.debug("session resumed", pii={"jid": session.jid})
