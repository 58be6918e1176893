"""Golden transcripts: plays of the protocol, told in process, over sockets, and to a stranger's server."""
