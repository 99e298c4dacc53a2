"""A Polymarket in a box: the venue for demo, paper trading and tests.

`engine` is the pure core (no I/O, no clock), `signing` checks what clients sign, `wire` speaks the
venue's protocol. It is a server and not an agent on the log: other services meet it only by HTTP
and WebSocket, as they would meet the real one.
"""
