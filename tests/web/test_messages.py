from __future__ import annotations

from pathlib import Path

import pytest
from tests.web.stage import play

pytestmark = pytest.mark.peer


def test_two_people_meet_and_write_to_each_other_sealed(tmp_path: Path) -> None:
    play("first-contact", tmp_path)


def test_voice_messages_arrive_as_they_were_spoken_and_only_there(tmp_path: Path) -> None:
    play("voice", tmp_path)


def test_recordings_are_locked_paused_heard_and_thrown_away_and_play_on(tmp_path: Path) -> None:
    play("recording", tmp_path)


def test_a_browser_without_an_encoder_records_with_mediarecorder(tmp_path: Path) -> None:
    play("fallback", tmp_path)
