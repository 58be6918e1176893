"""Reads what people filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.protocols.xmpp.commands import CommandCondition, refusal
from parley.protocols.xmpp.errors import JIDError, PayloadError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.protocols.xmpp.dataforms import Form
    from parley.protocols.xmpp.errors import StanzaError


def unusable(text: str) -> StanzaError:
    """The error for a form that cannot be used (XEP-0050 §4.4)."""
    return refusal(CommandCondition.BAD_PAYLOAD, text)


def check_type(form: Form, form_type: str) -> None:
    """Raises StanzaError for a form of another FORM_TYPE; one that names none will do."""
    if form.form_type not in ("", form_type):
        raise unusable("another form than the one asked for")


def text(form: Form, var: str) -> str:
    """The value of a field that has to be there; raises StanzaError."""
    value = form.value(var)
    if not value:
        raise unusable(f"{var} is missing")
    return value


def flag(form: Form, var: str, default: bool) -> bool:
    """The value of a boolean field; raises StanzaError."""
    try:
        value = form.flag(var)
    except PayloadError as error:
        raise unusable(str(error)) from error
    return default if value is None else value


def address(form: Form, var: str) -> JID:
    """The address of an account in a field; raises StanzaError."""
    return _account(text(form, var), var)


def addresses(form: Form, var: str, most: int) -> list[JID]:
    """The addresses of accounts in a field, from one to `most`, each once; raises StanzaError."""
    field = form.field(var)
    values = () if field is None else tuple(value for value in field.values if value)
    if not 1 <= len(values) <= most:
        raise unusable(f"{var} has from one to {most} addresses")
    return list(dict.fromkeys(_account(value, var) for value in values))


def _account(value: str, var: str) -> JID:
    try:
        jid = JID.parse(value)
    except JIDError as error:
        raise unusable(f"{var}: {error}") from error
    if not jid.local:
        raise unusable(f"{var} is not the address of an account")
    return jid
