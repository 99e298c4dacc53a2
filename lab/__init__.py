"""Research on top of the agents: backtests and reports. Nothing imports the lab."""
