"""Parley: one self-hosted server for mobile voice.

Layers, top down: app; edges; storage, identity, ops; domain, protocols; base. Imports point down and siblings never
import each other; domain and protocols do no I/O. ARCHITECTURE.md follows a message through the files.
"""

__version__ = "0.1.0"
