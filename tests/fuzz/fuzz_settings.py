"""Fuzz target: a settings file or an override is read, or refused with ConfigError that names a place."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from parley.base.config import Settings, apply_reload, load, unused_settings
from parley.base.errors import ConfigError

SEEDS = [
    b'domains = ["example.org"]\n[http]\nlisten = ["127.0.0.1:8080", "[::1]:0"]\npublic_url = "https://a.example/x"\n',
    b'domains = ["b\xc3\xbccher.example"]\ndata_dir = "/srv/\\u0000"\n'
    b'[media]\naddress = "::1"\nports = "20000-20999"\n',
    b'domains = ["example.org"]\n[metrics]\nallow = ["10.0.0.0/8"]\n'
    b'[xmpp]\nregistration = "open"\ns2s = ["0.0.0.0:5269"]\n',
    b'domains = ["example.org", "x."]\n[limits]\nmax_stanza_bytes = 1e9\nmax_depth = true\nburst_bytes = -1\n',
    b"log.level=loud",
    b"a=" + b"[" * 3000,
    b'limits.max_depth="""x"""',
    b"x = 2024-01-01T00:00:00Z\nx = {a.b = nan}",
]
# Removed with the module, at the end of the process.
_KEPT = tempfile.TemporaryDirectory(prefix="parley-fuzz-")
FOLDER = Path(_KEPT.name)
MINIMAL = FOLDER / "minimal.toml"
MINIMAL.write_text('domains = ["example.org"]\n')
MADE = FOLDER / "made.toml"


def target(data: bytes) -> None:
    """`data` as a file, and as an override of a good one."""
    MADE.write_bytes(data)
    for path, overrides in ((MADE, ()), (MINIMAL, (data.decode("latin-1"),))):
        settings = _loaded(path, overrides)
        if settings is not None:
            assert settings == load(path, overrides)
            assert apply_reload(settings, settings) == (settings, [])
            assert all("." in name for name in unused_settings(settings))


def _loaded(path: Path, overrides: Sequence[str]) -> Settings | None:
    try:
        return load(path, overrides)
    except ConfigError as error:
        if not error.path:
            raise AssertionError("a refusal without a place") from error
        return None


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
