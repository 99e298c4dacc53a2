"""The report: one HTML file that needs nothing else. Called by `run`."""
