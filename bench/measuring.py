"""Rounds that alternate between servers, the CPU that each of them uses, and figures made of both."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from bench.peers import Server
from bench.report import Figure


class Trial(Protocol):
    """What is done to one server."""

    server: Server

    async def prepare(self) -> None:
        """Before the first round."""

    async def round(self) -> float:
        """One round's figure."""


async def interleaved(trials: Sequence[Trial], rounds: int) -> list[list[float]]:
    """Prepare all, then their rounds."""
    for trial in trials:
        await trial.prepare()
    return await rounds_of(trials, rounds)


async def rounds_of(trials: Sequence[Trial], rounds: int) -> list[list[float]]:
    """A B C A B C …; a list of figures for each trial."""
    found: list[list[float]] = [[] for _ in trials]
    for _ in range(rounds):
        for trial, values in zip(trials, found, strict=True):
            with own_core(trial.server.pid):
                values.append(await trial.round())
    return found


def cpu_ns(pid: int) -> int:
    """CPU time that all threads of a process have used."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


@contextmanager
def own_core(pid: int) -> Iterator[None]:
    """The process on the first core, this one on the second, if there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {cores[0]})
        os.sched_setaffinity(0, {cores[1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def against(
    figure_id: str,
    what: str,
    unit: str,
    ours: Sequence[float],
    theirs: Mapping[str, Sequence[float]],
    ratio: Fraction,
    whose: str = "the better peer's",
    *,
    named: str = "",
) -> Figure:
    """A figure of which less is better.

    Args:
        ours: Parley's, one per round.
        theirs: the same by peer; the goal holds for the least of their medians.
        ratio: what of a peer's figure may be reached.
        whose: the peers that the goal names, in words.
        named: how their labels begin.
    """
    median = statistics.median(ours)
    peers = {name: statistics.median(values) for name, values in theirs.items()}
    # A goal that names a peer is not met where there is none.
    bounds = [value for name, value in peers.items() if name.startswith(named)]
    met = bool(bounds) and median <= ratio * min(bounds)
    return Figure(
        id=figure_id,
        what=what,
        unit=unit,
        better="lower",
        parley=_rounded(median),
        peers={name: _rounded(value) for name, value in peers.items()},
        goal=f"at most {ratio} of {whose}" if ratio != 1 else f"at most {whose}",
        met=met,
        spread=_spread(ours),
        peer_spreads={name: _spread(values) for name, values in theirs.items()},
    )


def _spread(values: Sequence[float]) -> tuple[float, float]:
    return _rounded(min(values)), _rounded(max(values))


def _rounded(value: float) -> float:
    """Three digits that count, and no fewer than before the point."""
    return float(f"{value:.3g}") if abs(value) < 100 else round(value, 1)
