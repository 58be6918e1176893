from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.app.errors import Unwilling
from parley.app.moving.lua_tables import read_list, read_table


def test_tables_as_prosody_writes_them() -> None:
    data = b"""-- a comment
return {
\t["count"] = 10000;
\t["text"] = "a\\"b\\\\c\\nd\\195\\188";
\t["yes"] = true;
\t[false] = { ["version"] = 3; };
\t{ "first", -2.5, 0x10; };
\tplain = nil;
};
"""
    assert read_table(data) == {
        "count": 10000,
        "text": 'a"b\\c\ndü',
        "yes": True,
        False: {"version": 3},
        1: {1: "first", 2: -2.5, 3: 16},
        "plain": None,
    }


def test_lists() -> None:
    assert read_list(b'item({ ["name"] = "a"; });\nitem({\n});\n') == [{"name": "a"}, {}]
    assert read_list(b"") == []


@pytest.mark.parametrize(
    "data",
    [
        b"return os.execute('x')",
        b"return { f() }",
        b"return { [1] = function() end }",
        b"return { a = b }",
        b"return {} x",
        b"return " + b"{" * 1000,
        b"return { [{}] = 1 }",
        b'return { "unfinished }',
        b"return { 1 2 }",
        b"",
        b"x = 1",
    ],
)
def test_nothing_but_constants(data: bytes) -> None:
    with pytest.raises(Unwilling):
        read_table(data)


def test_a_row_of_dashes_is_read_once() -> None:
    with pytest.raises(Unwilling):
        read_table(b"return {}\n" + b"-" * 5000 + b"\n!")
    assert read_table(b"return {} -- " + b"-" * 5000) == {}


@given(st.binary(max_size=200))
def test_whatever_comes_it_is_refused_or_read(data: bytes) -> None:
    for read, given_bytes in ((read_table, b"return {" + data), (read_list, data)):
        with contextlib.suppress(Unwilling):
            read(given_bytes)
