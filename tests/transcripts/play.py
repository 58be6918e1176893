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
    61 s pass                            such a scene is played in process only

Before anybody does something, everything received must have been told: a play is complete. `{any}` in an expected
attribute or text stands for anything, `{time}` for a time of XEP-0082, `{name}` for the same thing each time, also in
what is sent. `{error TYPE NAME}` stands for a stanza error with that type and condition, `{stream error NAME}` for the
end of a stream. An expected element whose text is `{more}` has the children that are listed, and maybe others, in any
order.

`also: prosody` before the first scene: the play is run against Prosody as well, so that it is checked by a server of
somebody else. Where that one differs, the play says so, with the reason in a comment:

    [prosody] alice/phone <- ...         this line is for Prosody alone
    [parley] alice/phone <- ...          this line is for Parley alone
    [parley] only                        the whole scene is
    [sockets] only                       it needs more of Parley than runs in process

Of a stranger's server only what the specifications demand is asked: see `Stage`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from lxml import etree

Act = Callable[..., Awaitable[None]]

DOMAIN: Final = "example.org"
CLOSE: Final = "</stream:stream>"
_STANZAS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_POLL_S: Final = 0.05
_DELAY: Final = "{urn:xmpp:delay}delay"
_STAGE: Final = "<x xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>{}</x>"
_ERROR: Final = re.compile(r"\{error (\S+) (\S+?)\}")
_STREAM_ERROR: Final = re.compile(r"\{stream error (\S+?)\}")
_NAME: Final = re.compile(r"\{([a-z0-9-]+)\}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_SERVER: Final = re.compile(r"\[(\w+)\] +(.*)")
_ALSO: Final = "also: "


@dataclass(frozen=True)
class Line:
    """One line of a scene with its number in the file; `server` is whom alone it is for."""

    number: int
    text: str
    server: str = ""


@dataclass
class Scene:
    """A part of a play that is run by itself."""

    title: str
    also: frozenset[str] = frozenset()
    """The servers of others that it is played to."""
    lines: list[Line] = field(default_factory=list)

    def lines_for(self, server: str) -> list[Line]:
        """What is to be played to a server; nothing when the scene is not for it."""
        if server != "parley" and (server not in self.also or self._is_only("parley")):
            return []
        return [line for line in self.lines if line.server in ("", server) and line.text != "only"]

    @property
    def needs_sockets(self) -> bool:
        """Whether it cannot be played in process."""
        return self._is_only("sockets")

    def _is_only(self, server: str) -> bool:
        return any(line.text == "only" and line.server == server for line in self.lines)

    @property
    def is_timeless(self) -> bool:
        """Whether it can be played where nobody can make time pass."""
        return not any(line.text.endswith("s pass") for line in self.lines)


def read(path: Path) -> list[Scene]:
    """The scenes of a file."""
    scenes: list[Scene] = []
    also: frozenset[str] = frozenset()
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        text = raw.strip()
        if raw.startswith("--- "):
            scenes.append(Scene(raw[4:].strip(), also))
        elif not text or text.startswith("#"):
            continue
        elif not scenes:
            assert text.startswith(_ALSO), f"line {number}: not understood: {text}"
            also = frozenset(text.removeprefix(_ALSO).split())
        elif raw[0] == " ":
            last = scenes[-1].lines[-1]
            scenes[-1].lines[-1] = Line(last.number, f"{last.text} {text}", last.server)
        else:
            match = _SERVER.fullmatch(text)
            scenes[-1].lines.append(Line(number, match[2], match[1]) if match else Line(number, text))
    return scenes


class House(Protocol):
    """A server with clients, as a stage needs it. Elements are XML, the end of a stream is `CLOSE`."""

    server: str
    """Its name in plays."""
    patience_s: float
    """How long something may take that nobody can ask for, such as that a connection is found broken."""

    async def connect(self, who: str) -> None:
        """A new stream of a user, with the resource bound."""

    async def say(self, who: str, xml: str) -> None:
        """Send."""

    async def collect(self) -> dict[str, list[str]]:
        """What has come for everybody since the last call, when all that was said has had its effect."""

    async def drop(self, who: str) -> None:
        """Break a connection."""

    async def resume(self, who: str, sm_id: str, h: int) -> None:
        """Resume on a new stream."""

    async def befriend(self, one: str, other: str) -> None:
        """Make two accounts each other's contacts."""

    async def is_closed(self, who: str) -> bool:
        """Whether the server has closed the connection."""

    async def let_pass(self, seconds: float) -> None:
        """Let time pass."""


class Stage:
    """Plays scenes in a house, to the letter.

    Of a stranger's server less is asked, all of it left open by RFC 6120 and RFC 6121: addresses of a client's own
    account may be missing (§8.1.1.2, §8.1.2.2), `to` may be bare or full, stanzas of different senders come in any
    order (§10.1), so do the children of an element, stanzas their language
    (§8.1.5), and presence tells since when it holds (XEP-0203).
    """

    def __init__(self, house: House) -> None:
        self.house = house
        self.is_strange = house.server != "parley"
        self.came: dict[str, list[str]] = {}
        self.names: dict[str, str] = {}
        self._acts: tuple[tuple[re.Pattern[str], Act], ...] = (
            (re.compile(r"(\S+) <- (.*)"), self._expect),
            (re.compile(r"(\S+) -> (.*)"), self._say),
            (re.compile(r"(\S+) and (\S+) are friends"), self.house.befriend),
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
        for line in scene.lines_for(self.house.server):
            act, words = self._understood(line)
            try:
                await act(*words)
                await self._collect()
            except AssertionError as error:
                raise AssertionError(f"line {line.number}: {line.text}\n{error}") from error
            except TimeoutError as error:
                raise AssertionError(f"line {line.number}: {line.text}\nthe server does not answer") from error
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
        await self.house.say(who, self._filled(xml))

    async def _connect(self, who: str) -> None:
        self._nothing_untold()
        await self.house.connect(who)
        self.came[who] = []

    async def _online(self, who: str) -> None:
        await self._connect(who)
        await self.house.say(who, "<presence/>")
        await self._collect()
        await self._ignore("")

    async def _drop(self, who: str) -> None:
        self._nothing_untold()
        await self.house.drop(who)

    async def _resume(self, who: str, sm_id: str, h: str) -> None:
        self._nothing_untold()
        await self.house.resume(who, self._filled(sm_id), int(h))

    async def _wait(self, seconds: str) -> None:
        self._nothing_untold()
        await self.house.let_pass(float(seconds))

    # What comes.

    async def _expect(self, who: str, xml: str) -> None:
        clock = asyncio.get_running_loop()
        deadline = clock.time() + self.house.patience_s
        while True:
            try:
                self._take(who, _expanded(xml))
            except AssertionError:
                is_wrong = self.came[who] and not self.is_strange
                if is_wrong or clock.time() >= deadline:
                    raise
                await asyncio.sleep(_POLL_S)
                await self._collect()
            else:
                return

    def _take(self, who: str, expected: str) -> None:
        came = self.came[who]
        assert came, "nothing came"
        failures = []
        for place in range(len(came) if self.is_strange else 1):
            names = dict(self.names)
            try:
                self._compare_stanzas(who, came[place], expected)
            except AssertionError as error:
                self.names = names
                failures.append(str(error))
            else:
                del came[place]
                return
        raise AssertionError("\n".join(failures))

    async def _ignore(self, _: str) -> None:
        for came in self.came.values():
            came.clear()

    async def _closed(self, who: str) -> None:
        assert await self.house.is_closed(who), "it is open"

    async def _collect(self) -> None:
        for who, came in (await self.house.collect()).items():
            self.came.setdefault(who, []).extend(came)

    def _nothing_untold(self) -> None:
        untold = {who: came for who, came in self.came.items() if came}
        assert not untold, "\n".join(f"untold: {who} <- {xml}" for who, came in untold.items() for xml in came)

    def _compare_stanzas(self, who: str, actual: str, expected: str) -> None:
        if CLOSE in (actual, expected):
            assert actual == expected, f"came: {actual}"
            return
        came, wanted = _parse(actual), _parse(expected)
        if self.is_strange:
            _complete(came, who)
            _complete(wanted, who)
            if came.tag == "{jabber:client}presence" and wanted.find(_DELAY) is None:
                _remove(came, came.findall(_DELAY))
        self._compare(came, wanted, actual)

    def _compare(self, actual: Any, expected: Any, whole: str) -> None:
        attrs = dict(actual.attrib)
        wanted = dict(expected.attrib)
        if expected.tag == "{jabber:client}error":
            # XEP-0086's numbers, the words for people and who raised it are not what a play is about.
            attrs.pop("code", None)
            _remove(actual, actual.findall(f"{{{_STANZAS}}}text"))
            if "by" not in wanted:
                attrs.pop("by", None)
        text = (expected.text or "").strip()
        is_open = text == "{more}"
        is_same = (
            actual.tag == expected.tag
            and attrs.keys() == wanted.keys()
            and all(self._fits(attrs[key], value) for key, value in wanted.items())
            and (is_open or self._fits((actual.text or "").strip(), text))
            and (is_open or len(actual) == len(expected))
        )
        assert is_same, f"came: {whole}"
        if is_open or self.is_strange:
            self._compare_some(list(actual), list(expected), whole)
        else:
            for child, wanted_child in zip(actual, expected, strict=True):
                self._compare(child, wanted_child, whole)

    def _compare_some(self, actual: list[Any], expected: list[Any], whole: str) -> None:
        for wanted in expected:
            for child in actual:
                names = dict(self.names)
                try:
                    self._compare(child, wanted, whole)
                except AssertionError:
                    self.names = names
                else:
                    actual.remove(child)
                    break
            else:
                raise AssertionError(f"missing: {etree.tostring(wanted).decode()}\ncame: {whole}")

    def _fits(self, actual: str, expected: str) -> bool:
        name = _NAME.fullmatch(expected)
        if name is None:
            return actual == expected
        if name[1] == "any":
            return True
        if name[1] == "time":
            return _TIME.fullmatch(actual) is not None
        return self.names.setdefault(name[1], actual) == actual

    def _filled(self, text: str) -> str:
        return _NAME.sub(lambda match: self.names[match[1]], text)


def _complete(stanza: Any, who: str) -> None:
    """Write down the addresses that a stanza may leave out, and leave out its language, which may be the stream's."""
    for element in stanza.iter():
        element.attrib.pop(_LANGUAGE, None)
    if stanza.tag.startswith("{jabber:client}"):
        account = f"{who.partition('/')[0]}@{DOMAIN}"
        stanza.set("from", stanza.get("from", account))
        if stanza.get("to", account).partition("/")[0] == account:
            stanza.set("to", account)


def _expanded(xml: str) -> str:
    xml = _ERROR.sub(r"<error type='\1'><\2 xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", xml)
    return _STREAM_ERROR.sub(r"<stream:error><\1 xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", xml)


def _parse(xml: str) -> Any:
    tree = etree.fromstring(_STAGE.format(xml))
    assert len(tree) == 1, f"not one element: {xml}"
    if tree[0].tag == "{http://etherx.jabber.org/streams}error":
        _remove(tree[0], tree[0].findall("{urn:ietf:params:xml:ns:xmpp-streams}text"))
    return tree[0]


def _remove(parent: Any, children: Iterable[Any]) -> None:
    for child in children:
        parent.remove(child)


def split(text: str) -> list[str]:
    """What was sent, element by element."""
    is_closed = text.endswith(CLOSE)
    tree = etree.fromstring(_STAGE.format(text.removesuffix(CLOSE)))
    found = [etree.tostring(child, encoding="unicode", with_tail=False) for child in tree]
    return [*found, CLOSE] if is_closed else found
