"""In which order the targets of SRV records are tried (RFC 2782, XEP-0368 §2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One SRV record; `target` without its final dot. `is_tls`: TLS from the first byte."""

    priority: int
    weight: int
    port: int
    target: str
    is_tls: bool = False


def in_order(records: Sequence[ServiceRecord], chance: Callable[[], float]) -> list[ServiceRecord]:
    """The records in the order to try them: by priority, within one by chance in proportion to the weights.

    Args:
        records: of both services together, which share their priorities.
        chance: returns a number from 0 up to but not including 1.

    A record with the target `.`, which says that there is no such service, is left out.
    """
    ordered: list[ServiceRecord] = []
    usable = [record for record in records if record.target]
    for priority in sorted({record.priority for record in usable}):
        # RFC 2782: those of weight 0 come first, so that they are chosen with a very small chance.
        waiting = sorted((record for record in usable if record.priority == priority), key=lambda it: it.weight > 0)
        while waiting:
            at = _pick(waiting, chance)
            ordered.append(waiting.pop(at))
    return ordered


def _pick(records: Sequence[ServiceRecord], chance: Callable[[], float]) -> int:
    point = chance() * (sum(record.weight for record in records) + 1)
    reached = 0.0
    for index, record in enumerate(records):
        reached += record.weight
        if reached >= point:
            return index
    return len(records) - 1
