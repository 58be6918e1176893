"""The command line, one file per command or group of commands.

A command reads its arguments, asks `operations.py` (through a running server or directly) and prints. `frame.py` gives
every command `--config`, `--set`, `--json` and one way of failing. Rules about accounts or files do not belong here.
"""
