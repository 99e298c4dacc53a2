"""Agent: turns what whales do into proposals, and says why, also when the answer is no."""
