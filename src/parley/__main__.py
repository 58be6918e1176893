"""`python -m parley` is the command `parley`."""

from parley.app.cli import main

main()
