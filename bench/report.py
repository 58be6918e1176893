"""Results of benchmarks: the JSON files that are kept and the page that is made of them."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, the medians of rounds.

    Attributes:
        goal: what was asked for, in words.
        spread: the lowest and the highest of the rounds.
        peer_spreads: the same of each peer.
    """

    id: str
    what: str
    unit: str
    better: Literal["lower", "higher"]
    parley: float
    peers: dict[str, float]
    goal: str
    met: bool
    spread: tuple[float, float] | None = None
    peer_spreads: dict[str, tuple[float, float]] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What one benchmark found."""

    name: str
    rounds: int
    figures: Sequence[Figure]

    def to_json(self) -> dict[str, Any]:
        """The object of the operator's contract."""
        return {
            "name": self.name,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": machine(),
            "commit": commit(),
            "rounds": self.rounds,
            "figures": [
                {key: value for key, value in asdict(figure).items() if value is not None} for figure in self.figures
            ],
        }


def machine() -> str:
    """Processor, cores and memory of this machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, Linux {platform.release().partition('-')[0]}"


def commit() -> str:
    """The commit that was measured."""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True).stdout.strip() or "unknown"


def save(result: Result) -> Path:
    """Write `bench/results/NAME.json`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{result.name}.json"
    path.write_text(json.dumps(result.to_json(), indent=2, ensure_ascii=False) + "\n")
    return path


def write_page() -> None:
    """Write `docs/benchmarks.md` from all results."""
    PAGE.write_text(page([json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]))


def page(results: Sequence[dict[str, Any]]) -> str:
    """The page in Markdown."""
    lines = [
        "# Benchmarks",
        "",
        "Generated from `bench/results/` by `make bench`. Medians over rounds that alternate between the programs,",
        "and in brackets the best and the worst round.",
    ]
    for result in results:
        lines += [
            "",
            f"## {result['name']}",
            "",
            f"{result['date']}, {result['machine']}, commit {result['commit']}, {result['rounds']} rounds.",
            "",
            "| what | Parley | peers | goal | met |",
            "|---|--:|---|---|---|",
            *(_row(figure) for figure in result["figures"]),
        ]
    return "\n".join(lines) + "\n"


def _row(figure: dict[str, Any]) -> str:
    spreads = figure.get("peer_spreads", {})
    shown = f"{figure['parley']:g} {figure['unit']}{_range(figure.get('spread'))}"
    peers = ", ".join(f"{name}: {value:g}{_range(spreads.get(name))}" for name, value in figure["peers"].items())
    met = "yes" if figure["met"] else "**no**"
    return f"| {figure['what']}, {figure['better']} is better | {shown} | {peers} | {figure['goal']} | {met} |"


def _range(spread: Sequence[float] | None) -> str:
    return f" ({spread[0]:g}–{spread[1]:g})" if spread else ""


def table(result: Result) -> str:
    """What `make bench` prints."""
    lines = [result.name]
    for figure in result.figures:
        peers = ", ".join(f"{name} {value:g}" for name, value in figure.peers.items())
        lines.append(
            f"  {figure.what:<62} {figure.parley:>9g} {figure.unit:<6} {peers:<26} "
            f"{figure.goal}: {'met' if figure.met else 'MISSED'}"
        )
    return "\n".join(lines)
