"""Ad-hoc commands (XEP-0050): requests, replies and refusals as they stand in an iq."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.dataforms import Form, parse_form
from parley.protocols.xmpp.errors import PayloadError, StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_DATA, XML_LANG

if TYPE_CHECKING:
    from lxml.etree import _Element

NS_COMMANDS: Final = "http://jabber.org/protocol/commands"

_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_LONGEST_ID: Final = 256


class Action(StrEnum):
    """What is to be done with a command (§4.1)."""

    EXECUTE = "execute"
    CANCEL = "cancel"
    PREV = "prev"
    NEXT = "next"
    COMPLETE = "complete"


class Status(StrEnum):
    """How far a command is (§4.1)."""

    EXECUTING = "executing"
    COMPLETED = "completed"
    CANCELED = "canceled"


class CommandCondition(StrEnum):
    """What is wrong with a request, beside the condition of the stanza error (§4.4)."""

    MALFORMED_ACTION = "malformed-action"
    BAD_ACTION = "bad-action"
    BAD_LOCALE = "bad-locale"
    BAD_PAYLOAD = "bad-payload"
    BAD_SESSIONID = "bad-sessionid"
    SESSION_EXPIRED = "session-expired"


class NoteType(StrEnum):
    """How serious a note is (§4.3)."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Note:
    """A remark for whoever executes a command."""

    text: str
    type: NoteType = NoteType.INFO


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A request: `session_id` is "" for a new command, `form` None where none came along."""

    node: str
    action: Action
    session_id: str = ""
    form: Form | None = None


@dataclass(frozen=True, slots=True)
class CommandReply:
    """A reply. `actions` are those that may come next, beside cancel; `default` is what `execute` means."""

    node: str
    session_id: str
    status: Status
    form: Form | None = None
    notes: Sequence[Note] = ()
    actions: Sequence[Action] = ()
    default: Action | None = None

    def to_bytes(self) -> bytes:
        """The `<command/>`; its texts are in English."""
        attrs = {
            "xmlns": NS_COMMANDS,
            "node": self.node,
            "sessionid": self.session_id,
            "status": self.status.value,
            "xml:lang": "en",
        }
        parts: list[bytes] = []
        if self.actions:
            default = {"execute": self.default.value if self.default else None}
            parts.append(xml("actions", default, *(xml(action.value) for action in self.actions)))
        parts += [xml("note", {"type": note.type.value}, note.text) for note in self.notes]
        if self.form is not None:
            parts.append(self.form.to_bytes())
        return xml("command", attrs, *parts)


def refusal(condition: CommandCondition, text: str = "") -> StanzaError:
    """The error for a request that cannot be used (§4.4)."""
    is_expired = condition is CommandCondition.SESSION_EXPIRED
    stanza = StanzaCondition.NOT_ALLOWED if is_expired else StanzaCondition.BAD_REQUEST
    return StanzaError(stanza, text, application=xml(condition.value, {"xmlns": NS_COMMANDS}))


def parse_command(element: _Element) -> CommandRequest:
    """The request that `<command/>` makes.

    Raises:
        StanzaError: it is malformed; the error names what.
    """
    node, session_id = element.get("node", ""), element.get("sessionid", "")
    if not node:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a command has a node")
    if len(session_id) > _LONGEST_ID:
        raise refusal(CommandCondition.BAD_SESSIONID)
    try:
        action = Action(element.get("action", Action.EXECUTE.value))
    except ValueError as error:
        raise refusal(CommandCondition.MALFORMED_ACTION, "unknown action") from error
    language = element.get(XML_LANG)
    if language is not None and not _LANGUAGE.fullmatch(language):
        raise refusal(CommandCondition.BAD_LOCALE)
    return CommandRequest(node, action, session_id, _form(element))


def _form(element: _Element) -> Form | None:
    forms = [child for child in element if child.tag == f"{{{NS_DATA}}}x"]
    if len(forms) != len(element) or len(forms) > 1:
        raise refusal(CommandCondition.BAD_PAYLOAD, "a command carries one data form and nothing else")
    if not forms:
        return None
    try:
        form = parse_form(forms[0])
    except PayloadError as error:
        raise refusal(CommandCondition.BAD_PAYLOAD, str(error)) from error
    if form.type not in ("submit", "cancel"):
        raise refusal(CommandCondition.BAD_PAYLOAD, "a form is submitted or cancelled")
    return None if form.type == "cancel" else form
