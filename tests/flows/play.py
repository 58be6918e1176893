"""Plays: who says what to the server, and what it answers to whom.

A file holds scenes. A scene begins with `--- title`; accounts alice, bob and carol exist in `example.org`. A line is
one of these (what is indented belongs to the line above it, `#` begins a comment):

    alice and bob are friends            both subscriptions exist
    alice/phone connects                 a stream with that resource; no presence is sent
    alice/phone online                   connects, sends presence; everything that comes of it, to anybody, is dropped
    alice/phone -> <message .../>        sends
    alice/phone <- <message .../>        has received just this next
    all ignore                           whatever has come is dropped
    alice/phone drops                    its connection breaks
    alice/phone resumes {id} 3           on a new stream, with h='3'
    alice/phone closed                   the server has closed its connection
    61 s pass

Before anybody does something, everything received must have been told: a play is complete. `{any}` in an expected
attribute or text stands for anything, `{name}` for the same thing each time, also in what is sent. `{error TYPE NAME}`
stands for a stanza error with that type and condition, `{stream error NAME}` for the end of a stream.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lxml import etree
from tests.edges.xmpp.test_stream_management import resume
from tests.edges.xmpp.wires import Edge, FakeWire

from parley.domain.contacts import Contact
from parley.domain.subscriptions import SubscriptionState

Act = Callable[..., Awaitable[None]]

DOMAIN: Final = "example.org"
_STANZAS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
_CLOSE: Final = "</stream:stream>"
_STAGE: Final = "<x xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>{}</x>"
_ERROR: Final = re.compile(r"\{error (\S+) (\S+?)\}")
_STREAM_ERROR: Final = re.compile(r"\{stream error (\S+?)\}")
_NAME: Final = re.compile(r"\{([a-z0-9-]+)\}")


@dataclass(frozen=True)
class Line:
    """One line of a scene with its number in the file."""

    number: int
    text: str


@dataclass
class Scene:
    """A part of a play that is run by itself."""

    title: str
    lines: list[Line] = field(default_factory=list)


def read(path: Path) -> list[Scene]:
    """The scenes of a file."""
    scenes: list[Scene] = []
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        text = raw.strip()
        if raw.startswith("--- "):
            scenes.append(Scene(raw[4:].strip()))
        elif not text or text.startswith("#"):
            continue
        elif raw[0] == " ":
            last = scenes[-1].lines[-1]
            scenes[-1].lines[-1] = Line(last.number, f"{last.text} {text}")
        else:
            scenes[-1].lines.append(Line(number, text))
    return scenes


class Stage:
    """An edge with the clients of a scene."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.wires: dict[str, FakeWire] = {}
        self.came: dict[str, list[str]] = {}
        self.names: dict[str, str] = {}
        self._acts: tuple[tuple[re.Pattern[str], Act], ...] = (
            (re.compile(r"(\S+) <- (.*)"), self._expect),
            (re.compile(r"(\S+) -> (.*)"), self._say),
            (re.compile(r"(\S+) and (\S+) are friends"), self._befriend),
            (re.compile(r"(\S+) connects"), self._connect),
            (re.compile(r"(\S+) online"), self._online),
            (re.compile(r"all ignore()"), self._ignore),
            (re.compile(r"(\S+) drops"), self._drop),
            (re.compile(r"(\S+) resumes (\S+) (\d+)"), self._resume),
            (re.compile(r"(\S+) closed"), self._closed),
            (re.compile(r"(\d+) s pass"), self._wait),
        )

    async def play(self, scene: Scene) -> None:
        """Run a scene; raises AssertionError with the line that is not so."""
        for line in scene.lines:
            act, words = self._understood(line)
            try:
                await act(*words)
                await self._collect()
            except AssertionError as error:
                raise AssertionError(f"line {line.number}: {line.text}\n{error}") from error
        self._nothing_untold()

    def _understood(self, line: Line) -> tuple[Act, Sequence[str]]:
        for pattern, act in self._acts:
            match = pattern.fullmatch(line.text)
            if match is not None:
                return act, match.groups()
        raise AssertionError(f"line {line.number}: not understood: {line.text}")

    # What people do.

    async def _say(self, who: str, xml: str) -> None:
        self._nothing_untold()
        wire = self.wires[who]
        self.came[who] += _split(await self.edge.say(wire, self._filled(xml)))

    async def _connect(self, who: str) -> None:
        self._nothing_untold()
        user, _, resource = who.partition("/")
        wire = self.wires[who] = self.edge.open()
        await self.edge.sign_in(wire, user, resource)
        self.came[who] = []

    async def _online(self, who: str) -> None:
        await self._connect(who)
        await self.edge.say(self.wires[who], "<presence/>")
        await self._collect()
        await self._ignore("")

    async def _drop(self, who: str) -> None:
        self._nothing_untold()
        self.wires[who].abort()

    async def _resume(self, who: str, sm_id: str, h: str) -> None:
        self._nothing_untold()
        user = who.partition("/")[0]
        self.wires[who], answer = await resume(self.edge, self._filled(sm_id), int(h), user)
        self.came[who] = _split(answer)

    async def _befriend(self, a: str, b: str) -> None:
        for one, other in ((a, b), (b, a)):
            account = await self.edge.storage.accounts.find(f"{one}@{DOMAIN}")
            assert account is not None, f"there is no {one}"
            contact = Contact(f"{other}@{DOMAIN}", state=SubscriptionState(to=True, from_=True))
            await self.edge.storage.rosters.put(account.id, contact, 1000)
            self.edge.host.rosters.forget(account.id)

    async def _wait(self, seconds: str) -> None:
        self._nothing_untold()
        self.edge.tick(float(seconds))

    # What comes.

    async def _expect(self, who: str, xml: str) -> None:
        came = self.came[who]
        assert came, "nothing came"
        actual, expected = came.pop(0), _expanded(xml)
        if _CLOSE in (actual, expected):
            assert actual == expected, f"came: {actual}"
            return
        self._compare(_parse(actual), _parse(expected), actual)

    async def _ignore(self, _: str) -> None:
        for came in self.came.values():
            came.clear()

    async def _closed(self, who: str) -> None:
        assert self.wires[who].is_closed, "it is open"

    async def _collect(self) -> None:
        for who, wire in self.wires.items():
            self.came[who] += _split(await self.edge.settle(wire))

    def _nothing_untold(self) -> None:
        untold = {who: came for who, came in self.came.items() if came}
        assert not untold, "\n".join(f"untold: {who} <- {xml}" for who, came in untold.items() for xml in came)

    def _compare(self, actual: Any, expected: Any, whole: str) -> None:
        attrs = dict(actual.attrib)
        wanted = dict(expected.attrib)
        children, wanted_children = list(actual), list(expected)
        if expected.tag == "{jabber:client}error":
            # XEP-0086's numbers and the words for people are not what a play is about.
            attrs.pop("code", None)
            children = [child for child in children if child.tag != f"{{{_STANZAS}}}text"]
        is_same = (
            actual.tag == expected.tag
            and attrs.keys() == wanted.keys()
            and all(self._fits(attrs[key], value) for key, value in wanted.items())
            and self._fits((actual.text or "").strip(), (expected.text or "").strip())
            and len(children) == len(wanted_children)
        )
        assert is_same, f"came: {whole}"
        for child, wanted_child in zip(children, wanted_children, strict=True):
            self._compare(child, wanted_child, whole)

    def _fits(self, actual: str, expected: str) -> bool:
        name = _NAME.fullmatch(expected)
        if name is None:
            return actual == expected
        if name[1] == "any":
            return True
        return self.names.setdefault(name[1], actual) == actual

    def _filled(self, text: str) -> str:
        return _NAME.sub(lambda match: self.names[match[1]], text)


def _expanded(xml: str) -> str:
    xml = _ERROR.sub(r"<error type='\1'><\2 xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", xml)
    return _STREAM_ERROR.sub(r"<stream:error><\1 xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", xml)


def _parse(xml: str) -> Any:
    tree = etree.fromstring(_STAGE.format(xml))
    assert len(tree) == 1, f"not one element: {xml}"
    if tree[0].tag == "{http://etherx.jabber.org/streams}error":
        for text in tree[0].findall("{urn:ietf:params:xml:ns:xmpp-streams}text"):
            tree[0].remove(text)
    return tree[0]


def _split(text: str) -> list[str]:
    """What was sent, element by element."""
    is_closed = text.endswith(_CLOSE)
    tree = etree.fromstring(_STAGE.format(text.removesuffix(_CLOSE)))
    found = [etree.tostring(child, encoding="unicode", with_tail=False) for child in tree]
    return [*found, _CLOSE] if is_closed else found
