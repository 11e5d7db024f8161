"""Further groups on a file: POSIX access control lists, written as the kernel keeps them."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from collections.abc import Mapping
from pathlib import Path

from jitctl.errors import ConfigError

_NAME = "system.posix_acl_access"
_OWNER, _OWNING_GROUP, _GROUP, _MASK, _OTHERS = 0x01, 0x04, 0x08, 0x10, 0x20
_NOBODY = 0xFFFFFFFF
_VERSION = 2


def let_groups_in(path: Path, bits_by_gid: Mapping[int, int]) -> None:
    """Give each group its bits on `path`, within those that the owning group has; none for an empty mapping.

    The mode stays as it is. Raises `ConfigError` where the file system keeps no such lists, OSError else.
    """
    if not bits_by_gid:
        with contextlib.suppress(OSError):
            os.removexattr(path, _NAME, follow_symlinks=False)
        return
    mode = stat.S_IMODE(path.lstat().st_mode)
    group = mode >> 3 & 7
    entries = [(_OWNER, mode >> 6 & 7, _NOBODY), (_OWNING_GROUP, group, _NOBODY)]
    entries += [(_GROUP, bits & group, gid) for gid, bits in sorted(bits_by_gid.items())]
    entries += [(_MASK, group, _NOBODY), (_OTHERS, mode & 7, _NOBODY)]
    packed = b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, _NAME, struct.pack("<I", _VERSION) + packed)
    except OSError as error:
        raise ConfigError(
            f"no further group can be let in to {path}: {error.strerror}",
            hint="[socket] viewer_group needs a file system with access control lists under [paths] run",
        ) from None
