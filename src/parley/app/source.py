"""Where settings come from: the file and the overrides of the command line, read again at each SIGHUP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parley.base import config
from parley.base.config import Settings


@dataclass(frozen=True, slots=True)
class SettingsSource:
    """A settings file and overrides of the form `section.name=value`."""

    path: Path
    overrides: tuple[str, ...] = ()

    def load(self) -> Settings:
        """Read them; raises ConfigError."""
        return config.load(self.path, self.overrides)
