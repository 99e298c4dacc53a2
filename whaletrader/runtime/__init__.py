"""The agent shell: logs, effects, timers, snapshots, health. Knows nothing of trading."""
