"""The newer profile of SASL (XEP-0388): its elements, read and written.

One request says how the client signs in, who it is (`<user-agent/>`), and what the stream shall be afterwards: inline
features, each an element in a namespace of its own, which whoever knows that namespace takes out of `Authenticate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.errors import SASLCondition, SASLError
from parley.protocols.xmpp.namespaces import NS_SASL, NS_SASL2, NS_SASL_UPGRADE
from parley.protocols.xmpp.sasl import decode_payload, encode_payload

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.protocols.xmpp.element import Element

_MAX_AGENT_ID_CHARS: Final = 255
_MAX_AGENT_TEXT_CHARS: Final = 100
_MAX_UPGRADES: Final = 8
_WHITESPACE: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class UserAgent:
    """The installation that signs in (XEP-0388 §2.4). `id` is the same at each of its sign-ins, "" when it has none.

    All three are for the account's own eyes: they MUST NOT be shown to anybody else.
    """

    id: str = ""
    software: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """A request to sign in.

    Attributes:
        mechanism: as the client wrote it.
        initial: the initial response, None when there is none.
        agent: who asks.
        upgrades: tasks that the client offers to do (XEP-0480), in its order.
        inline: all other child elements by namespace and name, the first of each.
    """

    mechanism: str
    initial: bytes | None = None
    agent: UserAgent = UserAgent()
    upgrades: tuple[str, ...] = ()
    inline: Mapping[tuple[str, str], _Element] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Authenticate(mechanism={self.mechanism!r}, inline={sorted(self.inline)})"


def parse_authenticate(element: Element) -> Authenticate:
    """Read `<authenticate/>`.

    Raises:
        SASLError: incorrect-encoding; malformed-request for an id of absurd length.
        PayloadError: libxml2 refuses what expat let pass.
    """
    initial: bytes | None = None
    agent = UserAgent()
    upgrades: dict[str, None] = {}
    inline: dict[tuple[str, str], _Element] = {}
    for child in element.tree():
        namespace, _, name = str(child.tag).removeprefix("{").rpartition("}")
        if (namespace, name) == (NS_SASL2, "initial-response"):
            initial = parse_data(child)
        elif (namespace, name) == (NS_SASL2, "user-agent"):
            agent = _user_agent(child)
        elif (namespace, name) == (NS_SASL_UPGRADE, "upgrade"):
            upgrades[(child.text or "").strip(_WHITESPACE)] = None
        else:
            inline.setdefault((namespace, name), child)
    return Authenticate(element.attrs.get("mechanism", ""), initial, agent, tuple(upgrades)[:_MAX_UPGRADES], inline)


def _user_agent(tree: _Element) -> UserAgent:
    agent_id = tree.get("id", "")
    if len(agent_id) > _MAX_AGENT_ID_CHARS:
        raise SASLError(SASLCondition.MALFORMED_REQUEST, f"the id of a user agent has {_MAX_AGENT_ID_CHARS} characters")
    software, device = (_line(tree.findtext(f"{{{NS_SASL2}}}{name}")) for name in ("software", "device"))
    return UserAgent(agent_id, software, device)


def _line(text: str | None) -> str:
    """A name as one line, not too long, with nothing that is no character to see."""
    words = " ".join((text or "").split())
    return "".join(c for c in words if c.isprintable())[:_MAX_AGENT_TEXT_CHARS]


def parse_data(tree: _Element) -> bytes:
    """The data in `<initial-response/>` or `<response/>`: base64, empty for an empty element (XEP-0388 §2.3).

    White space around it is let pass, as the examples of the specification have it.

    Raises:
        SASLError: incorrect-encoding.
    """
    text = (tree.text or "").strip(_WHITESPACE)
    if text == "=":
        raise SASLError(SASLCondition.INCORRECT_ENCODING, "the payload is not base64")
    return decode_payload(text)


def authentication(mechanisms: Iterable[str], inside: bytes) -> bytes:
    """The stream feature; `inside` follows the mechanisms."""
    return xml("authentication", {"xmlns": NS_SASL2}, *(xml("mechanism", None, name) for name in mechanisms), inside)


def challenge(data: bytes) -> bytes:
    """`<challenge/>`."""
    return xml("challenge", {"xmlns": NS_SASL2}, _base64(data))


def success(identifier: str, data: bytes | None, results: Iterable[bytes] = ()) -> bytes:
    """`<success/>` (XEP-0388 §2.7.1).

    Args:
        identifier: the bare address, or the full one once a resource is bound.
        data: what the mechanism says at its end, None for nothing.
        results: what the inline features answer.
    """
    said = _additional(data)
    return xml("success", {"xmlns": NS_SASL2}, *said, xml("authorization-identifier", None, identifier), *results)


def to_continue(task: str, data: bytes | None) -> bytes:
    """`<continue/>` with the one task to be done next (XEP-0388 §2.7.3); `data` as for `success`."""
    return xml("continue", {"xmlns": NS_SASL2}, *_additional(data), xml("tasks", None, xml("task", None, task)))


def task_data(content: bytes) -> bytes:
    """`<task-data/>`."""
    return xml("task-data", {"xmlns": NS_SASL2}, content)


def failure(condition: SASLCondition, text: str = "", application: bytes = b"", data: bytes | None = None) -> bytes:
    """`<failure/>` (XEP-0388 §2.7.2).

    Args:
        condition: why.
        text: for people, in English.
        application: one element that says more, in a namespace of its own.
        data: what the mechanism says at its end, None for nothing.
    """
    said = (xml(condition.value, {"xmlns": NS_SASL}), application, *_additional(data))
    return xml("failure", {"xmlns": NS_SASL2}, *said, *([xml("text", None, text)] if text else []))


def _additional(data: bytes | None) -> list[bytes]:
    return [] if data is None else [xml("additional-data", None, _base64(data))]


def _base64(data: bytes) -> str:
    return encode_payload(data) if data else ""
