"""How a scenario speaks with the programs of third parties: wishes come as lines of JSON, answers and news go out so.

A wish is `{"wish": NAME, …}`; its answer `{"answer": …}` or `{"refused": REASON}`, in the order of the wishes. News,
which come at any time, are objects with neither. The end of the input is the end of the program.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Wishes = Mapping[str, Callable[..., Awaitable[object]]]


def tell(**news: object) -> None:
    """Say something to the scenario."""
    print(json.dumps(news), flush=True)


async def fulfil(wishes: Wishes) -> None:
    """Fulfil one wish after the other until the input ends; the keys of a wish are the arguments of its function."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        wish: dict[str, Any] = json.loads(line)
        try:
            answer = await wishes[wish.pop("wish")](**wish)
        except Exception:
            # The scenario fails by it, and shows it.
            tell(refused=traceback.format_exc())
        else:
            tell(answer=answer)
