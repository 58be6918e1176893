"""Runs every scene of every play."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.edges.xmpp.wires import an_edge
from tests.flows.play import Scene, Stage, read

_PLAYS = sorted(Path(__file__).parent.glob("*.play"))
_SCENES = [
    pytest.param(scene, id=f"{path.stem}: {scene.title}")
    for path in _PLAYS
    for scene in read(path)
]  # fmt: skip


@pytest.mark.parametrize("scene", _SCENES)
async def test_play(scene: Scene) -> None:
    async with an_edge(limits={"sm_resume_timeout_s": 60}) as edge:
        await Stage(edge).play(scene)


async def test_a_play_that_is_not_so_fails() -> None:
    scenes = {scene.title: scene for scene in read(Path(__file__).parent / "wrong" / "wrong.play")}
    assert scenes
    for title, scene in scenes.items():
        async with an_edge() as edge:
            with pytest.raises(AssertionError, match=r"line \d+|untold") as caught:
                await Stage(edge).play(scene)
            assert title in str(caught.value)
