"""What the benchmarks are made of: figures against peers, values for Prosody's files."""

from __future__ import annotations

from fractions import Fraction

from bench.measuring import against
from bench.peers import lua


def test_goal_holds_for_the_better_peer() -> None:
    figure = against("f", "what", "µs", [3.0, 1.0, 2.0], {"a": [4.0], "b": [9.0]}, Fraction(1, 2))
    assert (figure.parley, figure.met, figure.spread) == (2.0, True, (1.0, 3.0))
    assert figure.goal == "at most 1/2 of the better peer's"
    assert not against("f", "what", "µs", [2.1], {"a": [4.0], "b": [9.0]}, Fraction(1, 2)).met


def test_goal_may_name_one_peer() -> None:
    values = {"prosody 1": [5.0], "ejabberd 1": [1.0]}
    assert against("f", "what", "KiB", [4.0], values, Fraction(1), "Prosody's", named="prosody").met
    assert not against("f", "what", "KiB", [4.0], values, Fraction(1)).met


def test_goal_is_not_met_where_the_peer_is_missing() -> None:
    assert not against("f", "what", "µs", [1.0], {}, Fraction(1)).met
    assert not against("f", "what", "µs", [1.0], {"ejabberd 1": [9.0]}, Fraction(1), named="prosody").met


def test_values_of_lua() -> None:
    assert lua({"a": 1, False: {"b": True}}) == '{ ["a"] = 1; [false] = { ["b"] = true; }; }'
