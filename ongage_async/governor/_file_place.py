"""Where a ledger file may lie, and whose clock its dates are in: questions to the operating system.

Nothing here opens the ledger. Called by `_file_store.py` (the file) and `_file.py` (the ledger).
"""

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ongage_async.errors import ConfigurationError

__all__ = ["boot_number", "network_file_system", "path_of"]

MOUNTS = Path("/proc/self/mounts")

NETWORK = frozenset(
    {
        *("nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "ncpfs", "9p", "drvfs", "ceph", "glusterfs"),
        *("lustre", "gpfs", "beegfs", "ocfs2", "gfs2", "orangefs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse"),
        *("fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.mount-s3"),
    }
)
"""File systems that other machines may share: their locks and their boots are not this machine's."""


def path_of(url: str) -> Path:
    """Return the path that a ``file:`` URL names.

    Args:
        url: ``file:///absolute/path``; anything that a URL cannot hold is percent-encoded.

    Raises:
        ConfigurationError: It names another machine, or no absolute path.
    """
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.scheme.lower() != "file" or parts.netloc not in {"", "localhost"} or not path.is_absolute():
        raise ConfigurationError(
            "governor: a ledger file is given as file:///absolute/path (three slashes), for instance "
            "file:///var/lib/app/ongage.ledger"
        )
    if not path.name or parts.path.endswith("/"):
        raise ConfigurationError("governor: this file URL names a directory: add the name of the ledger file")
    return path


@cache
def boot_number() -> float:
    """Return a number that is this boot's own: dates of the monotonic clock mean nothing after the next one."""
    if sys.platform == "linux":
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    else:
        name = "kern.bootsessionuuid" if sys.platform == "darwin" else "kern.boottime"
        boot = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, check=True).stdout  # noqa: S603
    return float(int.from_bytes(hashlib.sha256(boot.strip()).digest()[:6], "big"))


def network_file_system(path: Path) -> str | None:
    """Return the kind of network file system that `path` lies on; None if it is local, or nobody can tell."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    real, deepest, kind = os.path.realpath(path), -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount = fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\").rstrip("/")
        if (real == mount or real.startswith(mount + "/")) and len(mount) >= deepest:
            deepest, kind = len(mount), fields[2]
    return kind if kind in NETWORK else None
