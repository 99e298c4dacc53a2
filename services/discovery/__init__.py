"""Agent: who is worth copying. Says so with the interval and the rules it was held against."""
