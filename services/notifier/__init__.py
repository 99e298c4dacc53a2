"""Agent: tells people what they must know, on the channels they chose."""
