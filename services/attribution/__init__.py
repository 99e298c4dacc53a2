"""Agent: where the profit came from, by leader, market and day."""
