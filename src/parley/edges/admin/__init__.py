"""The local door for the command line: a Unix socket in the data folder, one line of JSON per message.

`server.py` listens inside a running server, `client.py` asks from a command; both share `socket_path.py`. What can be
asked is not known here: requests are handed on as bytes, and answers are whatever the handler returns. Only the user
that the server runs as, and root, may connect. The format of the messages stands in `server.py`.
"""
