import asyncio

import pytest

from parley.ops.health import Health


async def ready() -> None:
    return None


async def starting() -> str:
    return "starting"


async def broken() -> str:
    raise RuntimeError("secret")


async def hanging() -> str:
    await asyncio.Event().wait()
    return "never"


async def test_names_what_is_not_ready():
    health = Health(timeout_s=0.01)
    assert await health.problems() == {}
    for name, check in (("a", ready), ("b", starting), ("c", broken), ("d", hanging)):
        health.add(name, check)
    assert await health.problems() == {"b": "starting", "c": "failed", "d": "timeout"}


async def test_a_draining_server_is_not_ready():
    health = Health()
    health.drain()
    assert await health.problems() == {"server": "draining"}


def test_a_name_is_used_once():
    health = Health()
    health.add("a", ready)
    with pytest.raises(ValueError, match="exists already"):
        health.add("a", ready)
