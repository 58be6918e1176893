"""What every fuzz target does when it is run as a script."""

import hashlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris


def run(target: Callable[[bytes], None], seeds: Iterable[bytes]) -> None:
    """Hand the command line to libFuzzer; a folder among the arguments is the corpus and gets the seeds."""
    folders = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
    for seed in seeds if folders else ():
        (folders[0] / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    atheris.instrument_all()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
