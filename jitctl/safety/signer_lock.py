"""One signer per chain and address on this machine, whatever folder it was started from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from jitctl.errors import JitError, Refused
from jitctl.safety import owned_lock


def lock_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the locks live: `JITCTL_LOCK_DIR`, else the machine's lock folder, else the temporary one.

    It is the same for every user and every data folder: the nonce of an address is one per machine too.
    """
    named = environ.get("JITCTL_LOCK_DIR")
    if named:
        return Path(named)
    shared = Path("/run/lock")
    return shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())


class SignerLock:
    """The held locks of one engine's operators; they go with the process, or with `release`."""

    def __init__(self, descriptors: list[int]) -> None:
        self._descriptors = descriptors

    @classmethod
    def acquire(
        cls, chain_id: int, signers: Iterable[str], about: str, *, folder: Path | None = None
    ) -> SignerLock:
        """Lock every signer, or none: `Refused` names who holds one. `about` is shown to the loser.

        Raises `JitError` if the lock folder cannot be used.
        """
        folder = folder if folder is not None else lock_folder()
        held = cls([])
        try:
            # One order for everybody, so that two engines with several lanes cannot take half each.
            for signer in sorted(set(signers)):
                held._descriptors.append(_lock(folder, chain_id, signer, about))
        except JitError:
            held.release()
            raise
        return held

    def release(self) -> None:
        while self._descriptors:
            owned_lock.release(self._descriptors.pop())


def lock_path(folder: Path, chain_id: int, signer: str) -> Path:
    return folder / f"jitctl-signer-{chain_id}-{signer}.lock"


def holder(chain_id: int, signer: str, *, folder: Path | None = None) -> str:
    """Return who holds a signer's lock, empty if nobody does; the lock itself is not touched.

    Raises `JitError` where the kernel's list of locks cannot be read.
    """
    path = lock_path(folder if folder is not None else lock_folder(), chain_id, signer)
    try:
        inode = path.stat().st_ino
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise JitError(f"cannot look at the signer lock {path}: {error.strerror or error}") from None
    try:
        listed = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise JitError(f"cannot read /proc/locks: {error.strerror or error}") from None
    # Taking even a shared lock to find out would make an engine fail that starts at this moment.
    fields = [line.split() for line in listed]
    held = any(len(each) > 5 and each[1] == "FLOCK" and each[5].endswith(f":{inode}") for each in fields)
    return (owned_lock.owner(path) or "another process") if held else ""


def _lock(folder: Path, chain_id: int, signer: str, about: str) -> int:
    path = lock_path(folder, chain_id, signer)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = owned_lock.take(path, about, 0o644)
    except OSError as error:
        raise JitError(
            f"cannot open the signer lock {path}: {error.strerror or error}",
            hint="set JITCTL_LOCK_DIR to a folder that every user of this signer can reach",
        ) from error
    if descriptor is None:
        raise Refused(
            f"signer {signer} on chain {chain_id} is already in use by {owned_lock.winner(path)}",
            hint="stop that engine first; two signers would use the same nonces",
        )
    return descriptor
