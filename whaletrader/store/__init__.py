"""The event store: every event ever, its hash chains, and the read models made from it."""
