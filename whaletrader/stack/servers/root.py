"""Running a server that refuses root when we are root.

First choice is a user namespace: the server sees an ordinary user, the kernel still sees root, so
data and programs may lie below /root or a private temporary folder and no folder has to be opened
to others. Where the kernel or a container forbids that, the server runs as another user, who must
then be able to reach both.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from whaletrader.stack import launch
from whaletrader.stack.errors import ServerUnavailable

_TRY_SECONDS_MAX = 10
_USERS = ("postgres", "nobody")


@dataclass(frozen=True)
class RootDisguise:
    """How root appears to a program; `method` None when we are not root."""

    method: str | None
    user: str


@cache
def root_disguise() -> RootDisguise:
    """Return the best disguise that this machine allows."""
    if os.geteuid() != 0:
        return RootDisguise(None, "nobody")
    user = _existing_user()
    if sys.platform == "linux" and _namespace_works(user):
        return RootDisguise(launch.AS_NAMESPACE, user)
    return RootDisguise(launch.AS_USER, user)


def own(data_dir: Path, path: Path, disguise: RootDisguise) -> None:
    """Give `path` (made as a folder if missing) to whom the server runs as, if that is not us.

    Raises ServerUnavailable when that user cannot get there.
    """
    if not path.exists():
        path.mkdir(mode=0o700)
    if os.geteuid() != 0:
        return
    if disguise.method != launch.AS_USER:
        if path.stat().st_uid != 0:  # made earlier as another user
            _give(path, 0, 0)
        return
    entry = pwd.getpwnam(disguise.user)
    if path.stat().st_uid != entry.pw_uid:
        _give(path, entry.pw_uid, entry.pw_gid)
    data_dir.chmod(data_dir.stat().st_mode | 0o011)
    for parent in data_dir.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            raise ServerUnavailable(
                "postgres",
                f"runs as user {disguise.user}, who cannot enter {parent}: "
                "choose a data directory elsewhere, or do not run as root",
            )


def _give(path: Path, uid: int, gid: int) -> None:
    shutil.chown(path, uid, gid)
    if path.is_dir():
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(Path(folder) / name, uid, gid, follow_symlinks=False)


def _existing_user() -> str:
    for name in _USERS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise ServerUnavailable("postgres", f"refuses root, and there is no user {' or '.join(_USERS)}")


def _namespace_works(user: str) -> bool:
    attempt = [sys.executable, "-I", "-S", launch.__file__]
    attempt += ["--parent", str(os.getpid()), "--death-signal", "9"]
    attempt += ["--root-as", launch.AS_NAMESPACE, "--user", user, "--", "true"]
    answer = subprocess.run(attempt, capture_output=True, timeout=_TRY_SECONDS_MAX, check=False)
    return answer.returncode == 0
