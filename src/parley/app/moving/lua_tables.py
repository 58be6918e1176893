"""Reads the Lua tables that Prosody keeps its data in: constants only, nothing is ever run.

return { ["iteration_count"] = 10000; ["salt"] = "…"; [1] = { … }; };        a `.dat` file
item({ … }); item({ … });                                                  a `.list` file
"""

from __future__ import annotations

import re
from typing import Final

from parley.app.errors import Unwilling

Value = str | int | float | bool | None | dict[object, "Value"]

_DEEPEST: Final = 64
_TOKEN: Final = re.compile(
    r"""\s*(?:--[^\n]*\n\s*)*(?:(?P<text>"(?:[^"\\\n]|\\.|\\\n)*")|(?P<number>-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<sign>[{}\[\]=;,()]))""",
    re.DOTALL,
)
# A comment ends with its line or with the file, and nowhere else: there is one way only to read a row of dashes.
_REST: Final = re.compile(r"\s*(?:--[^\n]*(?:\n\s*|\Z))*")
_ESCAPE: Final = re.compile(r"\\(\d{1,3}|x[0-9a-fA-F]{2}|z\s*|.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": "\n"}
_CONSTANTS: Final = {"true": True, "false": False, "nil": None}


def read_table(data: bytes) -> dict[object, Value]:
    """The table that a `.dat` file returns; raises Unwilling."""
    reader = _Reader(data)
    reader.expect("return")
    table = reader.table(0)
    reader.end()
    return table


def read_list(data: bytes) -> list[dict[object, Value]]:
    """The tables of a `.list` file; raises Unwilling."""
    reader, found = _Reader(data), []
    while not reader.is_over:
        reader.expect("item")
        reader.expect("(")
        found.append(reader.table(0))
        reader.expect(")")
        reader.skip(";")
    return found


class _Reader:
    def __init__(self, data: bytes) -> None:
        # Strings hold bytes: each stays one character until it is known to be text.
        self._text = data.decode("latin-1")
        self._at = 0
        self._kind, self._token = "", ""
        self._next()

    @property
    def is_over(self) -> bool:
        return not self._kind

    def expect(self, token: str) -> None:
        if self._token != token or self._kind == "text":
            raise self._fault(f"expected {token}")
        self._next()

    def skip(self, token: str) -> bool:
        if self._kind != "text" and self._token == token:
            self._next()
            return True
        return False

    def end(self) -> None:
        self.skip(";")
        if not self.is_over:
            raise self._fault("expected the end")

    def table(self, depth: int) -> dict[object, Value]:
        if depth >= _DEEPEST:
            raise self._fault("nested too deeply")
        self.expect("{")
        found: dict[object, Value] = {}
        position = 1
        while not self.skip("}"):
            key: Value
            if self.skip("["):
                key = self._value(depth + 1)
                self.expect("]")
                self.expect("=")
            elif self._kind == "name" and self._token not in _CONSTANTS:
                key = self._token
                self._next()
                self.expect("=")
            else:
                key, position = position, position + 1
            if isinstance(key, dict):
                raise self._fault("a table is no key")
            found[key] = self._value(depth + 1)
            if not (self.skip(";") or self.skip(",")) and self._token != "}":  # noqa: S105 - a token of Lua
                raise self._fault("expected a separator")
        return found

    def _value(self, depth: int) -> Value:
        kind, token = self._kind, self._token
        if kind == "text":
            self._next()
            return _unescaped(token[1:-1])
        if kind == "number":
            self._next()
            return _number(token)
        if kind == "name" and token in _CONSTANTS:
            self._next()
            return _CONSTANTS[token]
        return self.table(depth)

    def _next(self) -> None:
        match = _TOKEN.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
            self._kind, self._token = match.lastgroup or "", match[match.lastgroup or 0]
        elif _REST.fullmatch(self._text, self._at):
            self._kind, self._token = "", ""
        else:
            raise self._fault("not a table of constants")

    def _fault(self, message: str) -> Unwilling:
        line = self._text.count("\n", 0, self._at) + 1
        return Unwilling("import-malformed", f"line {line}: {message}")


def _number(token: str) -> int | float:
    if "x" in token:
        return int(token, 16)
    return float(token) if set(token) & set(".eE") else int(token[:20])


def _unescaped(text: str) -> str:
    raw = _ESCAPE.sub(_escaped, text) if "\\" in text else text
    data = raw.encode("latin-1")
    try:
        return data.decode()
    except UnicodeDecodeError:
        # Bytes that are no text, such as a salt.
        return raw


def _escaped(match: re.Match[str]) -> str:
    code = match[1]
    if code.isdigit():
        return chr(int(code) & 0xFF)
    if len(code) == 3 and code[0] == "x":
        return chr(int(code[1:], 16))
    if code[0] == "z":
        return ""
    return _ESCAPES.get(code, code)
