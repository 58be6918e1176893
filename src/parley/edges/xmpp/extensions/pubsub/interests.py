"""Which nodes' events entities want to hear of, as their capabilities say (XEP-0060 §9.2, XEP-0115, XEP-0390)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from parley.base import log as logs
from parley.edges.xmpp.queries import QueryTimeoutError
from parley.protocols.xmpp.caps import DiscoInfo, parse_caps, parse_disco_info, verify
from parley.protocols.xmpp.caps2 import NS_CAPS2, parse_caps2, verify2
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.namespaces import NS_CAPS, NS_DISCO_INFO

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element

log = logs.get(__name__)

_KEPT: Final = 4096
_MAX_NODES: Final = 256
# At once; whoever announces something while so many are being asked is not.
_MAX_QUESTIONS: Final = 20_000
_NOTIFY: Final = "+notify"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a presence says of capabilities: `key` stands for them, `node` is where to ask what it means."""

    key: tuple[str, ...]
    node: str
    verify: Callable[[DiscoInfo], bool]


class Listener(Hashable, Protocol):
    """Somebody who has announced capabilities: a session, or somebody of another server."""

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        ...

    async def ask(self, payload: bytes) -> Element:
        """Ask it; raises QueryTimeoutError."""
        ...

    def learned(self, nodes: frozenset[str]) -> None:
        """It wants to hear of these nodes."""
        ...


def claim_in(presence: Element) -> Claim | None:
    """What a presence announces, None when it is nothing that can be asked about."""
    try:
        return _second(presence) or _first(presence)
    except PayloadError:
        return None  # presence is broadcast whatever is in it


def _second(presence: Element) -> Claim | None:
    child = presence.child(NS_CAPS2, "c")
    found = None if child is None else parse_caps2(presence.child_tree(child))
    if found is None:
        return None
    return Claim((found.algorithm, found.value), found.node, lambda info: verify2(info, found))


def _first(presence: Element) -> Claim | None:
    child = presence.child(NS_CAPS, "c")
    if child is None:
        return None
    caps = parse_caps(presence.child_tree(child))
    return Claim((NS_CAPS, caps.hash, caps.ver), f"{caps.node}#{caps.ver}", lambda info: verify(info, caps))


class Interests:
    """What is known of capabilities: the nodes that they ask for by `+notify`.

    Answers that were verified are kept by their hash, the latest ones. Who announces something else is asked, each one
    question at a time.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._nodes: OrderedDict[tuple[str, ...], frozenset[str]] = OrderedDict()
        self._announced: dict[Listener, Claim] = {}

    def announced(self, listener: Listener, claim: Claim) -> None:
        """Somebody can do what the claim stands for."""
        nodes = self._get(claim)
        if listener in self._announced:
            self._announced[listener] = claim  # who is asking sees to it
        elif nodes is not None:
            listener.learned(nodes)
        elif len(self._announced) < _MAX_QUESTIONS:
            self._announced[listener] = claim
            self._host.supervisor.spawn("capabilities", self._find_out(listener))

    def _get(self, claim: Claim) -> frozenset[str] | None:
        nodes = self._nodes.get(claim.key)
        if nodes is not None:
            self._nodes.move_to_end(claim.key)
        return nodes

    async def _find_out(self, listener: Listener) -> None:
        try:
            while not listener.is_gone:
                claim = self._announced[listener]
                nodes = self._get(claim)
                if nodes is None:
                    nodes = await self._ask(listener, claim)
                if self._announced[listener] == claim:
                    if nodes is not None:
                        listener.learned(nodes)
                    return
        finally:
            del self._announced[listener]

    async def _ask(self, listener: Listener, claim: Claim) -> frozenset[str] | None:
        try:
            answer = await listener.ask(xml("query", {"xmlns": NS_DISCO_INFO, "node": claim.node}))
            child = answer.child(NS_DISCO_INFO, "query")
            if answer.type != "result" or child is None:
                return None
            info = parse_disco_info(answer.child_tree(child))
        except (QueryTimeoutError, PayloadError) as error:
            log.debug("capabilities remain unknown", reason=type(error).__name__)
            return None
        nodes = _wanted(info)
        # XEP-0115 §5.4: what does not fit its hash counts for this one alone.
        if claim.verify(info):
            self._nodes[claim.key] = nodes
            while len(self._nodes) > _KEPT:
                self._nodes.popitem(last=False)
        return nodes


def _wanted(info: DiscoInfo) -> frozenset[str]:
    nodes = [feature.removesuffix(_NOTIFY) for feature in info.features if feature.endswith(_NOTIFY)]
    return frozenset(nodes[:_MAX_NODES])
