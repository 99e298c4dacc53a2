"""Become another program, tied to the life of the one that asked for it.

Runs alone, as `python -I -S launch.py --parent PID ... -- program arguments`, imports nothing of
this project, and ends in exec, so the pid stays. It exists because these steps must happen between
fork and exec, where Python code in a threaded parent is not safe:

- on Linux the kernel is asked to signal us when the parent *thread* dies, so that even kill -9 of
  the parent leaves no orphan (macOS has no such call: there the next start cleans up);
- root becomes somebody else, for PostgreSQL, which refuses root.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CLONE_NEWUSER = 0x10000000  # linux/sched.h
CANNOT_LAUNCH = 126  # as a shell says "found, but cannot be run"

# Root seen as an ordinary user: either inside a user namespace of its own, where root's own files
# stay its own under another number (no folder has to be opened to others), or by giving root up.
AS_NAMESPACE = "namespace"
AS_USER = "user"


def main(arguments: list[str]) -> int:
    """Apply the options and exec; returns only when that failed."""
    parser = argparse.ArgumentParser(prog="launch")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, required=True)
    parser.add_argument("--root-as", choices=(AS_NAMESPACE, AS_USER))
    parser.add_argument("--user", default="nobody")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    try:
        if options.root_as == AS_NAMESPACE:
            enter_namespace(options.user)
        elif options.root_as == AS_USER:
            become(options.user)
        # After the change of user: that clears the request.
        _die_with_parent(options.parent, options.death_signal)
        os.execvp(options.command[0], options.command)
    except (OSError, KeyError) as error:
        sys.stderr.write(f"launch: {options.command[0]}: {error}\n")
    return CANNOT_LAUNCH


def enter_namespace(user: str) -> None:
    """Appear as `user` inside a new user namespace while staying root for the files outside."""
    entry = pwd.getpwnam(user)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{entry.pw_uid} 0 1")
    (own / "gid_map").write_text(f"{entry.pw_gid} 0 1")


def become(user: str) -> None:
    """Give root up for good."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _die_with_parent(parent: int, death_signal: int) -> None:
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have died before the request: then nothing would ever be sent.
    if os.getppid() != parent:
        raise OSError(f"the parent {parent} is gone")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
