"""OpenIGTLink: the wire, a client, a server, and what runs on them (replay of a recording, simulated images).

Messages are pyigtl's (`pyigtl.messages`: TRANSFORM, IMAGE, STRING); the connections are our own. pyigtl's client and
server (0.3.4) are made for a script: they keep one message a device and lose the others without a count, lose
the place in the stream when a header comes in two packets, accept a body whose checksum is wrong, do not notice that
the peer has closed, serve one client at a time, drop it for one body that cannot be decoded, and install signal
handlers, which fails outside the main thread. `Testing/Python/link` has pyigtl's own client and server as partners.
Core ring.
"""
