"""Agent: what is unusual in a market now, and which regime it is in."""
