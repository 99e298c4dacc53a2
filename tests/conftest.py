"""Makes the real servers available to every test (see `whaletrader/stack/testing.py`)."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["whaletrader.stack.testing"]

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
