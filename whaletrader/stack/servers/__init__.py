"""The real servers of one machine, each a small class with the same four verbs.

`prepare` (files and ports), `start`, `stop`, `kill`; all on 127.0.0.1, all state in the data
directory given. Imports of a server's wheel happen when it is started, not before.
"""
