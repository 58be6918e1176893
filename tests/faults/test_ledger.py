from __future__ import annotations

import pytest
from tests.faults.ledger import Tally

SENT = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        (["a", "b", "c", "d"], (4, 4, 0, 0, 0)),
        (["a", "b", "c", "d", "e"], (4, 4, 0, 0, 0)),
        (["a", "c", "d"], (4, 3, 1, 0, 0)),
        (["a", "b", "b", "c", "d"], (4, 4, 0, 1, 0)),
        (["a", "c", "b", "d"], (4, 4, 0, 0, 1)),
        ([], (4, 0, 4, 0, 0)),
    ],
)
def test_counts(found: list[str], counts: tuple[int, ...]) -> None:
    tally = Tally()
    tally.compare("x", SENT, found)
    assert (tally.acknowledged, tally.found, tally.lost, tally.doubled, tally.misplaced) == counts
    assert tally.is_clean == (counts[2:] == (0, 0, 0))
    assert bool(tally.trouble) != tally.is_clean


def test_checks_single_things() -> None:
    tally = Tally()
    tally.check("here", is_there=True)
    assert tally.is_clean
    tally.check("gone", is_there=False)
    assert (tally.acknowledged, tally.lost, tally.trouble) == (2, 1, ["lost 1: gone"])
