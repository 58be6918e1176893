"""How apps register devices: ad-hoc commands, as apps know them from the app servers that there are.

`register-push-KIND` takes the fields `token` and `device-id`, and answers with `jid`, `node` and `secret`: what the app
puts into `<enable/>` at the person's server. `unregister-push` forgets the device in `device-id`, or all of a person.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from parley.domain.push_targets import PushTarget, digest
from parley.edges.xmpp.push_service.receiver import tell_owner
from parley.protocols.xmpp.caps import DiscoInfo, Identity
from parley.protocols.xmpp.commands import (
    NS_COMMANDS,
    Action,
    CommandCondition,
    CommandReply,
    CommandRequest,
    Status,
    parse_command,
    refusal,
)
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_DATA, NS_DISCO_ITEMS

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import IqRequest

UNREGISTER: Final = "unregister-push"

_KINDS: Final = ("apns", "fcm", "webpush")
_NAMES: Final = {
    **{f"register-push-{kind}": f"Register a device ({kind})" for kind in _KINDS},
    UNREGISTER: "Forget a device",
}
_MAX_TOKEN_BYTES: Final = 4096
_MAX_DEVICE_BYTES: Final = 255
_NODE_BYTES: Final = 18
_SECRET_BYTES: Final = 24


def command_items(request: IqRequest) -> bytes:
    """The answer to disco#items of the node of the commands."""
    items = [xml("item", {"jid": str(request.to), "node": node, "name": name}) for node, name in _NAMES.items()]
    return xml("query", {"xmlns": NS_DISCO_ITEMS, "node": NS_COMMANDS}, *items)


def command_info(node: str) -> bytes:
    """The answer to disco#info of the node of the commands, or of one; raises StanzaError."""
    if node == NS_COMMANDS:
        return DiscoInfo((Identity("automation", "command-list"),), (NS_COMMANDS,)).to_bytes(node)
    if node not in _NAMES:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    return DiscoInfo((Identity("automation", "command-node", name=_NAMES[node]),), (NS_COMMANDS, NS_DATA)).to_bytes(
        node
    )


async def command(request: IqRequest) -> bytes:
    """One step of a command. It keeps nothing between its steps, and apps send the form with the first one."""
    asked = parse_command(request.tree)
    if asked.node not in _NAMES:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    _check_may_register(request)
    if asked.action is Action.CANCEL or (asked.form is not None and asked.form.type == "cancel"):
        return CommandReply(asked.node, _session(asked), Status.CANCELED).to_bytes()
    if asked.action not in (Action.EXECUTE, Action.COMPLETE):
        raise refusal(CommandCondition.BAD_ACTION)
    if asked.form is None:
        form = _question(asked.node)
        done = [Action.COMPLETE]
        reply = CommandReply(asked.node, _session(asked), Status.EXECUTING, form, (), done, Action.COMPLETE)
        return reply.to_bytes()
    if asked.node == UNREGISTER:
        await _unregister(request, asked.form)
        return CommandReply(asked.node, _session(asked), Status.COMPLETED).to_bytes()
    result = await _register(request, asked.node.rpartition("-")[2], asked.form)
    return CommandReply(asked.node, _session(asked), Status.COMPLETED, result).to_bytes()


def _check_may_register(request: IqRequest) -> None:
    is_closed = request.host.settings.push.apps == "accounts" and request.origin.owner is None
    if is_closed or not request.sender.local:
        raise StanzaError(StanzaCondition.FORBIDDEN)


def _session(asked: CommandRequest) -> str:
    return asked.session_id or secrets.token_urlsafe(12)


def _question(node: str) -> Form:
    device = Field("device-id", (), "text-single", "What the app calls the device")
    if node == UNREGISTER:
        return Form("form", (device,), _NAMES[node])
    token = Field("token", (), "text-single", "What the device is known by where it is woken", is_required=True)
    return Form("form", (token, device), _NAMES[node])


async def _register(request: IqRequest, kind: str, form: Form) -> Form:
    """Register a device, anew if it is known: it keeps its node, and gets another secret."""
    host, owner = request.host, str(request.asker)
    token, device = form.value("token") or "", form.value("device-id") or ""
    if not token or len(token.encode()) > _MAX_TOKEN_BYTES or len(device.encode()) > _MAX_DEVICE_BYTES:
        raise refusal(CommandCondition.BAD_PAYLOAD, "a token is missing, or something is too long")
    known = [each for each in await _of(request) if (each.kind, each.device) == (kind, device)]
    node = known[0].node if known else secrets.token_urlsafe(_NODE_BYTES)
    secret, now = secrets.token_urlsafe(_SECRET_BYTES), host.clock.now_us()
    target = PushTarget(request.to.domain, node, owner, kind, device, token, digest(secret), now)
    limits = host.settings.push
    await host.stores.push_targets.put(target, limits.max_devices, limits.max_devices_each)
    fields = (("jid", target.service), ("node", node), ("secret", secret))
    return Form("result", tuple(Field(var, (value,), "text-single") for var, value in fields))


async def _unregister(request: IqRequest, form: Form) -> None:
    host, device = request.host, form.value("device-id")
    gone = [each for each in await _of(request) if device in (None, each.device)]
    if not gone:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    for target in gone:
        if await host.stores.push_targets.remove(target.node):
            await tell_owner(host, target)


async def _of(request: IqRequest) -> list[PushTarget]:
    """The targets of who asks, at the service that is asked."""
    known = await request.host.stores.push_targets.of(str(request.asker))
    return [target for target in known if target.service == request.to.domain]
