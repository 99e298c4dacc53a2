"""Numbered SQL files: the event store's own tables. `store.schema` applies them in order."""
