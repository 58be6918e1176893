"""What subscribers want, as data forms (XEP-0060 §6.3, §16.4.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from parley.domain.pubsub.nodes import NodeConfig, SubscriptionOptions
from parley.edges.xmpp.extensions.pubsub.bodies import NS_ATOM
from parley.edges.xmpp.extensions.pubsub.refusals import refusal
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.datetimes import format_datetime, parse_datetime
from parley.protocols.xmpp.errors import PayloadError, StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_PUBSUB

NS_SUBSCRIBE_OPTIONS: Final = f"{NS_PUBSUB}#subscribe_options"

# Registered ones that change nothing here; what is registered nowhere is no option (§16.4.2).
_WITHOUT_EFFECT: Final = frozenset(
    {"FORM_TYPE", "pubsub#digest_frequency", "pubsub#subscription_type", "pubsub#subscription_depth"}
)
_OPTIONS: Final = frozenset(
    {"pubsub#deliver", "pubsub#digest", "pubsub#include_body", "pubsub#show-values", "pubsub#expire"}
)
_WHILE_THERE: Final = "presence"
_SHOWS: Final = ("chat", "online", "away", "xa", "dnd")
_FLAG: Final = ("0", "1")


def read_subscribe_options(form: Form | None, known: SubscriptionOptions, now_us: int) -> SubscriptionOptions:
    """The options `known` with what a submitted form changes.

    Args:
        form: fields that it lacks stay as they are.
        known: the options so far.
        now_us: microseconds since the epoch; a subscription ends later than that.

    Raises:
        StanzaError: bad-request with invalid-options (§6.3.6.2).
    """
    if form is None:
        return known
    try:
        return replace(known, **_changes(form, now_us))
    except PayloadError as error:
        raise _invalid(str(error)) from error


def _changes(form: Form, now_us: int) -> dict[str, Any]:
    unknown = {field.var for field in form.fields if field.type != "fixed"} - _OPTIONS - _WITHOUT_EFFECT
    if unknown:
        raise _invalid(f"{min(unknown)} is no option")
    changes: dict[str, Any] = {}
    deliver, body = form.flag("pubsub#deliver"), form.flag("pubsub#include_body")
    if deliver is not None:
        changes["deliver"] = deliver
    if body is not None:
        changes["include_body"] = body
    if form.flag("pubsub#digest"):
        raise _invalid("there are no digests")
    shows = form.field("pubsub#show-values")
    if shows is not None:
        if not set(shows.values) <= set(_SHOWS):
            raise _invalid("an unknown state of presence")
        changes["shows"] = tuple(dict.fromkeys(shows.values))
    expire = form.value("pubsub#expire")
    if expire is not None:
        # §12.5: a word instead of a time.
        changes["is_temporary"] = expire.strip() == _WHILE_THERE
        changes["expires_at"] = 0 if expire.strip() == _WHILE_THERE else _expiry(expire.strip(), now_us)
    return changes


def _expiry(text: str, now_us: int) -> int:
    if not text:
        return 0
    at_us = parse_datetime(text)
    if at_us <= now_us:
        raise _invalid("the end of the subscription has passed")
    return at_us


def _invalid(text: str) -> StanzaError:
    return refusal(StanzaCondition.BAD_REQUEST, "invalid-options", text)


def subscribe_options_form(options: SubscriptionOptions, config: NodeConfig | None, kind: str) -> Form:
    """The form that shows `options`, for a node with `config` (None: any), of type "form" or "result"."""
    choices = tuple(("", show) for show in _SHOWS) if kind == "form" else ()
    expire: tuple[str, ...] = (_WHILE_THERE,) if options.is_temporary else ()
    if options.expires_at:
        expire = (format_datetime(options.expires_at),)
    fields = [
        Field("FORM_TYPE", (NS_SUBSCRIBE_OPTIONS,), "hidden"),
        Field("pubsub#deliver", (_FLAG[options.deliver],), "boolean", "Send notifications"),
        Field("pubsub#digest", ("0",), "boolean", "Send notifications together, now and then"),
        Field("pubsub#show-values", options.shows, "list-multi", "States of presence in which to send them", choices),
        Field("pubsub#expire", expire, "text-single", "When the subscription ends"),
    ]
    # §12.8: it MUST NOT be offered where nothing is known of the payloads that would make a body.
    if config is None or config.type in ("", NS_ATOM):
        body = Field("pubsub#include_body", (_FLAG[options.include_body],), "boolean", "Add a text to read")
        fields.insert(3, body)
    return Form(kind, tuple(fields))
