"""Agent: works approved trades at the venue, each order to exactly one terminal state."""
