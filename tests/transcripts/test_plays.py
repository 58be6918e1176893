"""Every scene of every play, in process."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.edges.xmpp.wires import an_edge
from tests.transcripts.in_process import EdgeHouse
from tests.transcripts.play import Scene, Stage, read

FOLDER = Path(__file__).parent
_SCENES = [
    pytest.param(scene, id=f"{path.stem}: {scene.title}")
    for path in sorted(FOLDER.glob("*.play"))
    for scene in read(path)
    if not scene.needs_sockets
]  # fmt: skip


@pytest.mark.parametrize("scene", _SCENES)
async def test_play(scene: Scene) -> None:
    async with an_edge(limits={"sm_resume_timeout_s": 60}) as edge:
        await Stage(EdgeHouse(edge)).play(scene)


async def test_a_play_that_is_not_so_fails() -> None:
    scenes = {scene.title: scene for scene in read(FOLDER / "wrong" / "wrong.play")}
    assert scenes
    for title, scene in scenes.items():
        async with an_edge() as edge:
            with pytest.raises(AssertionError, match=r"line \d+|untold") as caught:
                await Stage(EdgeHouse(edge)).play(scene)
            assert title in str(caught.value)
