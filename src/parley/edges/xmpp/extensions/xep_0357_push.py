"""Push notifications: a device says by which service it is to be woken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.push import Registration
from parley.edges.xmpp.delivery.push import NS_PUSH
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.dataforms import parse_form
from parley.protocols.xmpp.errors import JIDError, StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_DATA

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_NODE_BYTES: Final = 1024
_MAX_OPTIONS_BYTES: Final = 4096
_OPTIONS: Final = "http://jabber.org/protocol/pubsub#publish-options"


async def _enable(request: IqRequest) -> bytes:
    host, session, asked = request.host, request.session, request.tree
    service, node = _service(asked), asked.get("node", "")
    if len(node.encode()) > _MAX_NODE_BYTES:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "the node's name is too long")
    if not host.router.is_local(service):
        # Better refused now than lost silently later.
        host.abroad(service.domain)
    elif host.router.service(service.domain) != "push":
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND, "there is no push service")
    registration = Registration(str(service), node, _options(asked), session.jid.resource, host.clock.now_us())
    await host.push.enable(session.account.id, registration)
    return b""


async def _disable(request: IqRequest) -> bytes:
    asked = request.tree
    await request.host.push.disable(request.session.account.id, str(_service(asked)), asked.get("node"))
    return b""


def _service(asked: _Element) -> JID:
    # §5: without the address of a service there is nothing to enable or disable.
    try:
        return JID.parse(asked.get("jid", ""))
    except JIDError as error:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "no push service is named") from error


def _options(asked: _Element) -> bytes:
    form = asked.find(f"{{{NS_DATA}}}x")
    if form is None:
        return b""
    options = parse_form(form)
    if options.form_type != _OPTIONS:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "the form has no publish options")
    written = options.to_bytes()
    if len(written) > _MAX_OPTIONS_BYTES:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "the publish options are too long")
    return written


_ACCOUNT: Final = frozenset({Target.ACCOUNT})

EXTENSION = Extension(
    spec="XEP-0357",
    name="Push Notifications",
    version="0.4.1",
    status="complete; a notification has no summary, so that a push service learns nothing of what waits",
    account_features=(NS_PUSH,),
    # The publish options hold what proves to the service that it may be woken.
    secret_namespaces=(NS_PUSH,),
    iq=(
        IqHandler("set", NS_PUSH, "enable", _ACCOUNT, _enable),
        IqHandler("set", NS_PUSH, "disable", _ACCOUNT, _disable),
    ),
)
