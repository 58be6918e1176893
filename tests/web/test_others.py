"""The web app with apps of other authors on a real server: slixmpp with slixmpp-omemo, opus-tools, profanity."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support import profanity
from tests.web.stage import play

pytestmark = pytest.mark.peer

PLAYERS = ("opusdec", "opusenc", "opusinfo")
MISSING_PLAYERS = [name for name in PLAYERS if shutil.which(name) is None]


def test_two_windows_and_two_devices_of_another_author_see_all(tmp_path: Path) -> None:
    play("others-text", tmp_path)


@pytest.mark.skipif(bool(MISSING_PLAYERS), reason=f"not installed: {', '.join(MISSING_PLAYERS)}")
def test_voice_messages_to_and_from_an_app_of_another_author(tmp_path: Path) -> None:
    play("others-voice", tmp_path)


@pytest.mark.skipif(bool(profanity.MISSING), reason=f"not installed: {', '.join(profanity.MISSING)}")
@pytest.mark.xdist_group("profanity")
def test_sealed_text_both_ways_with_profanity(tmp_path: Path) -> None:
    play("others-profanity", tmp_path)
