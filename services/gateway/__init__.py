"""The gateway: what people see of the desk, and the three orders that they can give it.

REST and WebSocket over the read models, one static dashboard, halt, resume and flatten. It
decides nothing and trades nothing: an order of a person goes onto the log, where agents read it.
"""
