"""What an operator looks at: figures (`metrics.py`) and whether the server is ready (`health.py`).

Nothing here serves HTTP (that is `edges/http`) and nothing here decides anything. Parts are handed a `Metrics` and call
its methods; they add their checks to a `Health`. A new figure is one attribute and one method of `Metrics`.
"""
