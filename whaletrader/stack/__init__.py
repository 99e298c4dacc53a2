"""One machine: the servers an installation needs beside Python, and the processes it runs.

Owns starting, watching and stopping real processes. Must not know what any of them decides: it
passes settings by environment and looks at readiness, nothing more. Called by the `whaletrader`
command and by tests that want real servers.
"""
