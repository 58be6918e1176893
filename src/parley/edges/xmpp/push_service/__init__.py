"""The app server's end of push (XEP-0357): the service that other servers ask to wake a device.

An app registers its device (`registering.py`) and gets a node and a secret, which it gives to the person's server, of
whatever make. That server publishes to the node when something waits (`receiver.py`); what brings it to the device is
the host's `PushSender`. Not here: our own asking of push services (`edges/xmpp/delivery/push.py`).
"""
