"""Recorder: what the log says, into the event store; what dashboards read hot, into Redis.

No agent: it decides nothing. It reads every topic but the snapshots, and is the only writer of
the event store.
"""
