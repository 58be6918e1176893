"""The configuration of nodes as data forms (XEP-0060 §8.2, §16.4.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from parley.domain.pubsub.nodes import AccessModel, ItemReply, NodeConfig, PublishModel, SendLast, WhenFull
from parley.edges.xmpp.extensions.pubsub.refusals import refusal, unsupported
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.errors import RemoteProtocolError, StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_PUBSUB_NODE_CONFIG

if TYPE_CHECKING:
    from parley.edges.xmpp.extensions.pubsub.nodes import Limits

W = TypeVar("W", bound=StrEnum)

_MAX_TEXT: Final = 1000
_MAX_LIST: Final = 100
_MAX_ENTRY: Final = 255
_MAX_DIGITS: Final = 20
_LONGEST_EXPIRY_S: Final = 10**9
_TRUE: Final = frozenset({"1", "true"})
_FALSE: Final = frozenset({"0", "false"})
_FLAG: Final = ("0", "1")

_OF_COLLECTIONS: Final = frozenset({"pubsub#node_type", "pubsub#collection"})

# Options with one value that everything here is built on; asking for just that is fine.
_FIXED: Final = MappingProxyType(
    {
        "pubsub#node_type": frozenset({"leaf"}),
        "pubsub#collection": frozenset({""}),
    }
)


@dataclass(frozen=True, slots=True)
class _Option:
    """An option of a node: its place in `NodeConfig`, its field in forms, and how a submitted field is read."""

    name: str
    type: str
    label: str
    read: Callable[[Field, Limits], object]
    values: Callable[[NodeConfig], tuple[str, ...]]
    choices: tuple[str, ...] = ()


def read_options(form: Form | None, known: NodeConfig, limits: Limits, *, is_strict: bool = False) -> NodeConfig:
    """The configuration `known` with what a submitted form changes.

    Args:
        form: fields that it lacks stay as they are.
        known: the configuration so far.
        limits: bounds of the service; "max" and numbers above them mean just that.
        is_strict: refuse unknown options, which are ignored otherwise (XEP-0004 §3.2).

    Raises:
        StanzaError: an option has a value that is not offered.
    """
    if form is None:
        return known
    changes: dict[str, Any] = {}
    for field in form.fields:
        if field.var == "FORM_TYPE" or field.type == "fixed":
            continue
        option = _OPTIONS.get(field.var)
        if option is not None:
            changes[option.name] = option.read(field, limits)
        elif field.var in _FIXED:
            if not set(field.values) <= _FIXED[field.var]:
                # XEP-0248 §5.1 for what is about collections.
                raise unsupported("collections") if field.var in _OF_COLLECTIONS else _not_offered(field)
        elif is_strict and field.values:
            raise _not_offered(field)
    return replace(known, **changes)


def options_form(config: NodeConfig, kind: str = "form") -> Form:
    """The form that shows `config`: of type "form" it can be sent back changed, of type "result" it only tells."""
    fields = [Field("FORM_TYPE", (NS_PUBSUB_NODE_CONFIG,), "hidden")]
    for var, option in _OPTIONS.items():
        choices = tuple(("", choice) for choice in option.choices) if kind == "form" else ()
        fields.append(Field(var, option.values(config), option.type, option.label, choices))
    return Form(kind, tuple(fields))


def _not_offered(field: Field) -> StanzaError:
    return StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"{field.var} cannot have that value")


def _single(field: Field) -> str:
    return field.values[0].strip() if field.values else ""


def _read_flag(field: Field, _limits: Limits) -> bool:
    value = _single(field)
    if value not in _TRUE | _FALSE:
        raise _not_offered(field)
    return value in _TRUE


def _read_access_model(field: Field, _limits: Limits) -> AccessModel:
    try:
        return AccessModel(_single(field))
    except ValueError as error:
        # XEP-0060 §8.1.2
        text = f"{field.var} cannot have that value"
        raise refusal(StanzaCondition.NOT_ACCEPTABLE, "unsupported-access-model", text) from error


def _read_publish_model(field: Field, _limits: Limits) -> PublishModel:
    return _one_of(PublishModel, field)


def _read_send_last(field: Field, _limits: Limits) -> SendLast:
    return _one_of(SendLast, field)


def _read_when_full(field: Field, _limits: Limits) -> WhenFull:
    return _one_of(WhenFull, field)


def _read_item_reply(field: Field, _limits: Limits) -> ItemReply:
    return _one_of(ItemReply, field)


def _one_of(words: type[W], field: Field) -> W:
    try:
        return words(_single(field))
    except ValueError as error:
        raise _not_offered(field) from error


def _read_notification_type(field: Field, _limits: Limits) -> str:
    value = _single(field)
    if value not in _NOTIFICATION_TYPES:
        raise _not_offered(field)
    return value


def _number(field: Field, value: str, most: int) -> int:
    if not (value.isascii() and value.isdigit()):
        raise _not_offered(field)
    # More digits than the limit has are more than the limit, however many they are.
    return min(int(value[:_MAX_DIGITS]), most)


def _read_max_items(field: Field, limits: Limits) -> int:
    value = _single(field)
    number = limits.max_items if value == "max" else _number(field, value, limits.max_items)
    if number == 0:
        raise _not_offered(field)
    return number


def _read_item_expire(field: Field, _limits: Limits) -> int:
    value = _single(field)
    return 0 if value in ("", "max") else _number(field, value, _LONGEST_EXPIRY_S)


def _read_max_payload(field: Field, limits: Limits) -> int:
    value = _single(field)
    number = 0 if value in ("", "max") else _number(field, value, limits.max_item_bytes)
    return 0 if number == limits.max_item_bytes else number


def _read_text(field: Field, _limits: Limits) -> str:
    if len(_single(field)) > _MAX_TEXT:
        raise _not_offered(field)
    return _single(field)


def _read_texts(field: Field, _limits: Limits) -> tuple[str, ...]:
    if len(field.values) > _MAX_LIST or any(len(value) > _MAX_ENTRY for value in field.values):
        raise _not_offered(field)
    return tuple(value for value in field.values if value)


def _read_addresses(field: Field, limits: Limits) -> tuple[str, ...]:
    try:
        return tuple(str(JID.parse(value)) for value in _read_texts(field, limits))
    except RemoteProtocolError as error:
        raise _not_offered(field) from error


def _flag(name: str, label: str) -> _Option:
    return _Option(name, "boolean", label, _read_flag, lambda config: (_FLAG[getattr(config, name)],))


def _text(name: str, label: str, read: Callable[[Field, Limits], object] = _read_text) -> _Option:
    def values(config: NodeConfig) -> tuple[str, ...]:
        value = getattr(config, name)
        return (str(value),) if value else ()

    return _Option(name, "text-single", label, read, values)


def _choice(name: str, label: str, read: Callable[[Field, Limits], object], *choices: str) -> _Option:
    return _Option(name, "list-single", label, read, lambda config: (str(getattr(config, name)),), choices)


def _list(name: str, kind: str, label: str, read: Callable[[Field, Limits], object]) -> _Option:
    return _Option(name, kind, label, read, lambda config: getattr(config, name))


_NOTIFICATION_TYPES: Final = ("headline", "normal")

_OPTIONS: Final = MappingProxyType[str, _Option](
    {
        "pubsub#title": _text("title", "Title"),
        "pubsub#description": _text("description", "Description"),
        "pubsub#language": _text("language", "Language"),
        "pubsub#contact": _list("contact", "jid-multi", "Whom to ask", _read_addresses),
        "pubsub#type": _text("type", "Namespace of the payloads"),
        "pubsub#access_model": _choice("access_model", "Who may read", _read_access_model, *AccessModel),
        "pubsub#roster_groups_allowed": _list(
            "roster_groups_allowed", "text-multi", "Roster groups that may read", _read_texts
        ),
        "pubsub#publish_model": _choice("publish_model", "Who may publish", _read_publish_model, *PublishModel),
        "pubsub#subscribe": _flag("is_subscribable", "People may subscribe"),
        "pubsub#persist_items": _flag("persist_items", "Keep items"),
        "pubsub#max_items": _text("max_items", "How many items are kept", _read_max_items),
        "pubsub#item_expire": _text("item_expire_s", "Seconds that an item is kept", _read_item_expire),
        "pubsub#max_payload_size": _text("max_payload_bytes", "Largest payload in bytes", _read_max_payload),
        "pubsub#publish_node_full": _choice(
            "when_full", "What becomes of one item too many", _read_when_full, *WhenFull
        ),
        "pubsub#purge_offline": _flag("purge_offline", "Delete the items of who goes offline"),
        "pubsub#itemreply": _choice("item_reply", "Whose address items show", _read_item_reply, *ItemReply),
        "pubsub#send_last_published_item": _choice(
            "send_last_published_item", "When the last item is sent", _read_send_last, *SendLast
        ),
        "pubsub#deliver_notifications": _flag("deliver_notifications", "Tell subscribers"),
        "pubsub#deliver_payloads": _flag("deliver_payloads", "Notifications hold the payload"),
        "pubsub#notification_type": _choice(
            "notification_type", "Type of the notifications", _read_notification_type, *_NOTIFICATION_TYPES
        ),
        "pubsub#presence_based_delivery": _flag("presence_based_delivery", "Tell only who is there"),
        "pubsub#tempsub": _flag("is_temporary", "Subscriptions end when who subscribed goes offline"),
        "pubsub#notify_config": _flag("notify_config", "Tell when the configuration changes"),
        "pubsub#notify_delete": _flag("notify_delete", "Tell when the node is deleted"),
        "pubsub#notify_retract": _flag("notify_retract", "Tell of items that are deleted"),
        "pubsub#notify_sub": _flag("notify_sub", "Tell owners who subscribes and who no longer does"),
    }
)
