"""Entity capabilities: the server's own, and those of clients as far as they tell which events a client wants."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.edges.xmpp.extension import Extension
from parley.edges.xmpp.extensions.pubsub.personal import send_last_items_to
from parley.edges.xmpp.extensions.xep_0030_disco import ServerInfo
from parley.edges.xmpp.queries import QueryTimeoutError
from parley.protocols.xmpp.caps import Caps, DiscoInfo, parse_caps, parse_disco_info, verify
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.namespaces import NS_CAPS, NS_DISCO_INFO

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.session import Session
    from parley.protocols.xmpp.element import Element

log = logs.get(__name__)

_KEPT: Final = 4096
_ANSWER_TIMEOUT_S: Final = 60.0
_MAX_NODES: Final = 256
_NOTIFY: Final = "+notify"


class Capabilities:
    """What is known of clients: the nodes they want to hear of.

    Answers that were verified are kept by hash and `ver`, the latest ones. Who announces something else is asked, each
    session one question at a time.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._nodes: OrderedDict[tuple[str, str], frozenset[str]] = OrderedDict()
        self._announced: dict[Session, Caps] = {}

    def announced(self, session: Session, caps: Caps) -> None:
        """The client says that it can do what `caps` stands for."""
        nodes = self._get(caps)
        if session in self._announced:
            self._announced[session] = caps  # who is asking sees to it
        elif nodes is not None:
            self._learned(session, nodes)
        else:
            self._announced[session] = caps
            self._host.supervisor.spawn("capabilities", self._find_out(session))

    def _get(self, caps: Caps) -> frozenset[str] | None:
        nodes = self._nodes.get((caps.hash, caps.ver))
        if nodes is not None:
            self._nodes.move_to_end((caps.hash, caps.ver))
        return nodes

    async def _find_out(self, session: Session) -> None:
        try:
            while not session.is_ended:
                caps = self._announced[session]
                nodes = self._get(caps)
                if nodes is None:
                    nodes = await self._ask(session, caps)
                if self._announced[session] == caps:
                    if nodes is not None:
                        self._learned(session, nodes)
                    return
        finally:
            del self._announced[session]

    async def _ask(self, session: Session, caps: Caps) -> frozenset[str] | None:
        query = xml("query", {"xmlns": NS_DISCO_INFO, "node": f"{caps.node}#{caps.ver}"})
        own = session.account.address
        try:
            answer = await self._host.queries.ask(session, query, from_=own, timeout_s=_ANSWER_TIMEOUT_S)
            child = answer.child(NS_DISCO_INFO, "query")
            if answer.type != "result" or child is None:
                return None
            info = parse_disco_info(answer.child_tree(child))
        except (QueryTimeoutError, PayloadError) as error:
            log.debug("capabilities remain unknown", reason=type(error).__name__)
            return None
        nodes = _wanted(info)
        # §5.4: what does not fit its hash counts for this client alone.
        if verify(info, caps):
            self._nodes[caps.hash, caps.ver] = nodes
            while len(self._nodes) > _KEPT:
                self._nodes.popitem(last=False)
        return nodes

    def _learned(self, session: Session, nodes: frozenset[str]) -> None:
        if session.presence is None:
            return
        news = nodes - session.notify_nodes
        session.notify_nodes = nodes
        if news:
            self._host.supervisor.spawn("last items", send_last_items_to(self._host, session, news))


def _wanted(info: DiscoInfo) -> frozenset[str]:
    nodes = [feature.removesuffix(_NOTIFY) for feature in info.features if feature.endswith(_NOTIFY)]
    return frozenset(nodes[:_MAX_NODES])


def _stream_features(host: Host, is_authenticated: bool) -> bytes:
    # §6.3: a client that knows them need not ask.
    return host.memory(ServerInfo).caps.to_bytes() if is_authenticated else b""


async def _presence(host: Host, session: Session, element: Element) -> None:
    child = element.child(NS_CAPS, "c")
    if child is None:
        return
    try:
        caps = parse_caps(element.child_tree(child))
    except PayloadError:
        return  # presence is broadcast whatever is in it
    host.memory(Capabilities).announced(session, caps)


EXTENSION = Extension(
    spec="XEP-0115",
    name="Entity Capabilities",
    version="1.6.0",
    server_features=(NS_CAPS,),
    stream_features=_stream_features,
    on_presence=_presence,
)
