"""Golden transcripts: plays that read like the examples of a specification, run on the edge in memory."""
