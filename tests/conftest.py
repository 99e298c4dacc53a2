"""Makes the real servers available to every test (see `whaletrader/stack/testing.py`)."""

pytest_plugins = ["whaletrader.stack.testing"]
