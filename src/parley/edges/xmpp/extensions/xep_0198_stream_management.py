"""Acknowledgements and resumption of streams; `resumption.py` handles what comes before a resource is bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import HandledCountTooHigh, PayloadError, StanzaCondition, StreamCondition
from parley.protocols.xmpp.namespaces import NS_SM
from parley.protocols.xmpp.stream_management import (
    StreamManagement,
    acknowledgement,
    enabled,
    failed,
    is_resume_asked,
    parse_h,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element


def _features(_host: Host, is_authenticated: bool) -> bytes:
    return xml("sm", {"xmlns": NS_SM}) if is_authenticated else b""


def _inline_features(_host: Host, _channel_bindings: Mapping[str, bytes]) -> bytes:
    return xml("sm", {"xmlns": NS_SM})


def _enable(host: Host, session: Session, element: Element) -> None:
    if session.sm is not None and session.connection is not None:
        # §3: a client makes one attempt at most; a second one SHOULD end its stream.
        session.connection.fail(StreamCondition.POLICY_VIOLATION, "stream management is enabled already")
        return
    session.send_nonza(_enabled(host, session, element))


def _enabled(host: Host, session: Session, element: Element) -> bytes:
    if session.sm is not None:
        return failed(StanzaCondition.UNEXPECTED_REQUEST)
    limits = host.settings.limits
    session.sm = StreamManagement(limits.sm_max_unacked)
    if is_resume_asked(element) and limits.sm_resume_timeout_s > 0:
        sm_id = host.sessions.make_resumable(session)
        return enabled(sm_id, max_s=limits.sm_resume_timeout_s)
    return enabled()


def _requested(_host: Host, session: Session, _element: Element) -> None:
    if session.sm is not None:
        # With messages on their way to the log the answer comes when they are there: never before.
        h = session.sm.request()
        if h is not None:
            session.send_nonza(acknowledgement(h))


def _acknowledged(_host: Host, session: Session, element: Element) -> None:
    connection = session.connection
    if connection is None or session.sm is None:
        return
    connection.acknowledgement_came()
    try:
        session.acknowledged(parse_h(element))
    except PayloadError as error:
        connection.fail(StreamCondition.BAD_FORMAT, str(error))
    except HandledCountTooHigh as error:
        connection.fail(error.condition, error.text, error.application)


def _resume(_host: Host, session: Session, _element: Element) -> None:
    # §5: resumption takes the place of binding.
    session.send_nonza(failed(StanzaCondition.UNEXPECTED_REQUEST))


EXTENSION = Extension(
    spec="XEP-0198",
    name="Stream Management",
    version="1.6.1",
    status="complete; sessions are resumed over restarts and crashes of the server, not of its machine",
    inline_features=_inline_features,
    bind_features={(NS_SM, "enable"): _enabled},
    stream_features=_features,
    nonzas={
        (NS_SM, "enable"): _enable,
        (NS_SM, "resume"): _resume,
        (NS_SM, "r"): _requested,
        (NS_SM, "a"): _acknowledged,
    },
)
