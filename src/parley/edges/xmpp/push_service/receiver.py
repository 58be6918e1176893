"""Takes notifications of servers: who may wake a device, with what, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import DomainError, NotFound
from parley.domain.push_targets import PushSummary, PushTarget
from parley.edges.xmpp.delivery.push import NS_PUSH
from parley.edges.xmpp.extensions.pubsub.refusals import precondition_not_met, refusal, unsupported
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_DATA, NS_PUBSUB, NS_PUBSUB_PUBLISH_OPTIONS

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.edges.xmpp.extension import Inbound
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)

NS_SUMMARY: Final = "urn:xmpp:push:summary"

_PUBLISH: Final = f"{{{NS_PUBSUB}}}publish"
_ITEM: Final = f"{{{NS_PUBSUB}}}item"
_NOTIFICATION: Final = f"{{{NS_PUSH}}}notification"
_FORM: Final = f"{{{NS_DATA}}}x"
_MAX_DIGITS: Final = 9
# What an element asks for, in the words of XEP-0060; a node is never read or subscribed to.
_CLOSED: Final = frozenset({"items", "subscribe"})
_FEATURES: Final = {
    "affiliations": "retrieve-affiliations",
    "create": "create-nodes",
    "default": "retrieve-default-sub",
    "options": "subscription-options",
    "retract": "delete-items",
    "subscriptions": "retrieve-subscriptions",
    "unsubscribe": "subscribe",
}


class PushReceiver:
    """Takes the stanzas for the service that are not about registering.

    A device is woken again after `push.min_interval_s` at the earliest, with what was told of last.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._due: dict[str, PushSummary | None] = {}

    async def message(self, stanza: Inbound) -> None:
        """Nobody writes to the service."""
        if stanza.element.type != "error":
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)

    async def presence(self, stanza: Inbound) -> None:
        """Presence is of no interest here."""

    async def iq(self, stanza: Inbound) -> bytes | None:
        """A notification; raises StanzaError for anything else."""
        element = stanza.element
        if element.type not in ("get", "set"):
            return None
        child = element.child(NS_PUBSUB, "pubsub")
        if child is None or stanza.to.local or stanza.to.is_full:
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        pubsub = element.child_tree(child)
        publish = pubsub.find(_PUBLISH)
        if element.type == "get" or publish is None:
            raise await self._refusal(pubsub)
        return await self._published(stanza, pubsub, publish)

    async def _refusal(self, pubsub: _Element) -> StanzaError:
        """XEP-0357 §4.1: the access model is whitelist, and the list has nobody."""
        asked = next(iter(pubsub), None)
        if asked is None:
            return StanzaError(StanzaCondition.BAD_REQUEST)
        name = str(asked.tag).rpartition("}")[2]
        if name not in _CLOSED:
            return unsupported(_FEATURES.get(name, name))
        if await self._host.stores.push_targets.find(asked.get("node", "")) is None:
            return StanzaError(StanzaCondition.ITEM_NOT_FOUND)
        return refusal(StanzaCondition.NOT_ALLOWED, "closed-node")

    async def _published(self, stanza: Inbound, pubsub: _Element, publish: _Element) -> bytes:
        node = publish.get("node", "")
        if not node:
            raise refusal(StanzaCondition.BAD_REQUEST, "nodeid-required")
        target = await self._host.stores.push_targets.find(node)
        if target is None or target.service != stanza.to.domain:
            raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
        _check_may_publish(target, stanza.sender, pubsub)
        item, summary = _notification(publish)
        await self._host.stores.push_targets.woken(node, self._host.clock.now_us())
        self._wake(target, summary)
        answer = xml("item", {"id": item.get("id") or self._host.new_id()})
        return xml("pubsub", {"xmlns": NS_PUBSUB}, xml("publish", {"node": node}, answer))

    # Waking.

    def _wake(self, target: PushTarget, summary: PushSummary) -> None:
        is_waiting = target.node in self._due
        self._due[target.node] = summary
        if not is_waiting:
            self._host.supervisor.spawn("push sender", self._send(target.node))

    async def _send(self, node: str) -> None:
        """Wake a device now, and again after a while if more came in between. Nobody waits for it."""
        try:
            while (summary := self._due[node]) is not None:
                self._due[node] = None
                try:
                    await self._send_once(node, summary)
                except DomainError as error:
                    log.error("a device was not woken", code=error.code)
                await self._host.clock.sleep(self._host.settings.push.min_interval_s)
        finally:
            del self._due[node]

    async def _send_once(self, node: str, summary: PushSummary) -> None:
        target = await self._host.stores.push_targets.find(node)
        if target is None:
            return
        try:
            await self._host.push_sender.send(target, summary)
        except NotFound:
            await self._host.stores.push_targets.remove(node)
            await tell_owner(self._host, target)


async def tell_owner(host: Host, target: PushTarget) -> None:
    """Tell the server of a target's owner that nothing is taken for it any more (XEP-0357 §8).

    Raises StorageUnavailable, for owners of ours.
    """
    account = await host.stores.directory.find(target.owner)
    if account is not None:
        await host.push.disable(account.id, target.service, target.node)
        return
    word = xml("affiliation", {"jid": target.owner, "affiliation": "none"})
    pubsub = xml("pubsub", {"xmlns": NS_PUBSUB, "node": target.node}, word)
    to = JID.parse(target.owner)
    host.post.send(xml("message", {"from": target.service, "to": target.owner, "id": host.new_id()}, pubsub), to)


def _check_may_publish(target: PushTarget, sender: JID, pubsub: _Element) -> None:
    """Raise StanzaError unless the server of the target's owner publishes, with the secret (XEP-0357 §4.2)."""
    if sender.domain != JID.parse(target.owner).domain:
        raise StanzaError(StanzaCondition.FORBIDDEN)
    options = pubsub.find(f"{{{NS_PUBSUB}}}publish-options")
    form = None if options is None else options.find(_FORM)
    values = {} if form is None else _values(form)
    # XEP-0060 §7.1.5: an option that is not known is a precondition that is not met.
    if values.keys() - {"FORM_TYPE", "secret"} or values.get("FORM_TYPE") != NS_PUBSUB_PUBLISH_OPTIONS:
        raise precondition_not_met()
    if not target.is_secret(values.get("secret", "")):
        raise precondition_not_met("the secret is wrong")


def _notification(publish: _Element) -> tuple[_Element, PushSummary]:
    """The item, and what it tells of what waits; raises StanzaError (XEP-0060 §7.1.3)."""
    items = list(publish.iterchildren(_ITEM))
    if not items:
        raise refusal(StanzaCondition.BAD_REQUEST, "item-required")
    if len(items) > 1 or len(items[0]) > 1:
        raise refusal(StanzaCondition.BAD_REQUEST, "invalid-payload")
    if len(items[0]) == 0:
        raise refusal(StanzaCondition.BAD_REQUEST, "payload-required")
    notification = items[0][0]
    if notification.tag != _NOTIFICATION:
        raise refusal(StanzaCondition.BAD_REQUEST, "invalid-payload")
    for form in notification.iterchildren(_FORM):
        values = _values(form)
        if values.get("FORM_TYPE") == NS_SUMMARY:
            return items[0], PushSummary(
                _number(values.get("message-count", "")),
                _number(values.get("pending-subscription-count", "")),
                values.get("last-message-sender", ""),
                values.get("last-message-body", ""),
            )
    return items[0], PushSummary()


def _values(form: _Element) -> Mapping[str, str]:
    """The first value of each field. The examples of XEP-0357 have forms without a type, so none is asked for."""
    fields = form.iterchildren(f"{{{NS_DATA}}}field")
    return {field.get("var", ""): field.findtext(f"{{{NS_DATA}}}value") or "" for field in fields}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None
