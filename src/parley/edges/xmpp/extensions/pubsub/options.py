"""The configuration of nodes as data forms (XEP-0060 §8.2, §16.4.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from parley.domain.nodes import AccessModel, NodeConfig
from parley.edges.xmpp.extensions.pubsub.refusals import refusal
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.errors import PayloadError, StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_PUBSUB_NODE_CONFIG

_SEND_LAST: Final = ("never", "on_sub", "on_sub_and_presence")
_MAX_TEXT: Final = 1000
_MAX_GROUPS: Final = 100
_TRUE: Final = frozenset({"1", "true"})
_FALSE: Final = frozenset({"0", "false"})

# Options with one value that everything here is built on; asking for just that is fine.
_FIXED: Final = MappingProxyType(
    {
        "pubsub#deliver_notifications": _TRUE,
        "pubsub#deliver_payloads": _TRUE,
        "pubsub#node_type": frozenset({"leaf"}),
        "pubsub#notification_type": frozenset({"headline"}),
        "pubsub#notify_config": _FALSE,
        "pubsub#notify_sub": _FALSE,
        "pubsub#presence_based_delivery": _TRUE,
        "pubsub#publish_model": frozenset({"publishers"}),
        "pubsub#purge_offline": _FALSE,
        "pubsub#tempsub": _FALSE,
    }
)


def read_options(form: Form | None, known: NodeConfig, max_items: int) -> NodeConfig:
    """The configuration `known` with what a submitted form changes.

    Args:
        form: fields that it lacks stay as they are.
        known: the configuration so far.
        max_items: the most items that any node may have; "max" and numbers above it mean just that.

    Raises:
        StanzaError: an option is unknown, or has a value that is not offered.
    """
    if form is None:
        return known
    changes: dict[str, Any] = {}
    for field in form.fields:
        if field.var == "FORM_TYPE" or field.type == "fixed":
            continue
        option = _OPTIONS.get(field.var)
        if option is not None:
            name, read = option
            changes[name] = read(field, max_items)
        elif field.values != () and not set(field.values) <= _FIXED.get(field.var, frozenset()):
            raise _not_offered(field)
    return replace(known, **changes)


def options_form(config: NodeConfig) -> Form:
    """The form that shows `config` and can be sent back changed."""
    flag = ("0", "1")
    fields = (
        Field("FORM_TYPE", (NS_PUBSUB_NODE_CONFIG,), "hidden"),
        Field("pubsub#title", (config.title,) if config.title else (), "text-single", "Title"),
        Field(
            "pubsub#access_model",
            (config.access_model.value,),
            "list-single",
            "Who may read",
            tuple(("", model.value) for model in AccessModel),
        ),
        Field(
            "pubsub#roster_groups_allowed", config.roster_groups_allowed, "text-multi", "Roster groups that may read"
        ),
        Field("pubsub#persist_items", (flag[config.persist_items],), "boolean", "Keep items"),
        Field("pubsub#max_items", (str(config.max_items),), "text-single", "How many items are kept"),
        Field(
            "pubsub#send_last_published_item",
            (config.send_last_published_item,),
            "list-single",
            "When the last item is sent",
            tuple(("", value) for value in _SEND_LAST),
        ),
        Field("pubsub#notify_retract", (flag[config.notify_retract],), "boolean", "Tell of items that are deleted"),
        Field("pubsub#notify_delete", (flag[config.notify_delete],), "boolean", "Tell when the node is deleted"),
        Field("pubsub#deliver_payloads", ("1",), "boolean", "Notifications hold the payload"),
        Field("pubsub#publish_model", ("publishers",), "list-single", "Who may publish", (("", "publishers"),)),
    )
    return Form("form", fields)


def _not_offered(field: Field) -> StanzaError:
    return StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"{field.var} cannot have that value")


def _single(field: Field) -> str:
    return field.values[0] if field.values else ""


def _flag(field: Field, _max_items: int) -> bool:
    value = _single(field)
    if value not in _TRUE | _FALSE:
        raise PayloadError(f"{field.var} is not a boolean")
    return value in _TRUE


def _access_model(field: Field, _max_items: int) -> AccessModel:
    try:
        return AccessModel(_single(field))
    except ValueError as error:
        # XEP-0060 §4.5, §8.1.3: also for `authorize`, which is not offered.
        text = f"{field.var} cannot have that value"
        raise refusal(StanzaCondition.NOT_ACCEPTABLE, "unsupported-access-model", text) from error


def _send_last(field: Field, _max_items: int) -> str:
    value = _single(field)
    if value not in _SEND_LAST:
        raise _not_offered(field)
    return value


def _max_items(field: Field, max_items: int) -> int:
    value = _single(field)
    if value == "max":
        return max_items
    if not (value.isascii() and value.isdigit()) or not value.strip("0"):
        raise _not_offered(field)
    # More digits than the limit has are more than the limit, however many they are.
    return min(int(value[:20]), max_items)


def _groups(field: Field, _max_items: int) -> tuple[str, ...]:
    if len(field.values) > _MAX_GROUPS or any(len(value) > _MAX_TEXT for value in field.values):
        raise _not_offered(field)
    return tuple(value for value in field.values if value)


def _title(field: Field, _max_items: int) -> str:
    if len(_single(field)) > _MAX_TEXT:
        raise _not_offered(field)
    return _single(field)


_OPTIONS: Final = MappingProxyType[str, tuple[str, Callable[[Field, int], object]]](
    {
        "pubsub#access_model": ("access_model", _access_model),
        "pubsub#max_items": ("max_items", _max_items),
        "pubsub#notify_delete": ("notify_delete", _flag),
        "pubsub#notify_retract": ("notify_retract", _flag),
        "pubsub#persist_items": ("persist_items", _flag),
        "pubsub#roster_groups_allowed": ("roster_groups_allowed", _groups),
        "pubsub#send_last_published_item": ("send_last_published_item", _send_last),
        "pubsub#title": ("title", _title),
    }
)
