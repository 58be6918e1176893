"""The program: the one place that knows every class, puts them together, and talks to the operator.

`wiring.py` is the composition root of a server, `serving.py` runs it and listens to signals, `operations.py` is what
operators can ask for, whether a server runs or not, and `commands/` is the command line over it, one file per group.
Nothing below imports from here. To add a command, copy `commands/migrate.py` and name it in `cli.py`.
"""
