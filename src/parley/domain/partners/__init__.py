"""Partners: other organisations' servers, and what may pass between them and us.

Here: what is agreed with a partner (`agreements.py`, as a document in `documents.py`), which rule refuses what
(`decisions.py`), how a flood is slowed and cut (`buckets.py`, `floods.py`), how strangers' first words are bounded
(`strangers.py`), and the doors to the stores (`ports.py`). Not here: streams, stanzas and certificates' formats
(`edges/xmpp/federation`). To add a rule, give it a word in `decisions.Rule` and a line in the function that decides.
"""
