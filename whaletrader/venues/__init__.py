"""Where orders go: one port with types of our own, and the adapters behind it.

An adapter is the only place that knows a venue's field names. Services' composition roots plug
one in; agents see only the port's plain types.
"""
