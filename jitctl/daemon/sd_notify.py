"""What the keeper tells systemd: one datagram a message to $NOTIFY_SOCKET, silence where there is none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

from jitctl.control.redact import redact_text
from jitctl.control.unix_address import short_address

if TYPE_CHECKING:
    from jitctl.daemon.keeper import Keeper

BEAT_S = 10.0
"""How often a start or stop that takes long asks for more time, without a watchdog to feed."""
START_PATIENCE = 6
"""So many times as long as a settled engine may an engine be silent that starts."""
MAX_STATUS_CHARACTERS = 300


class Notifier:
    """The sender: never raises, never waits; what a full socket refused is sent with the next message."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self.beat_s = watchdog_s / 2 if watchdog_s > 0 else BEAT_S
        self.watched = bool(address) and watchdog_s > 0
        self._address = address
        self._owed: list[str] = []
        self._said: set[str] = set()

    @classmethod
    def from_environment(
        cls, environ: MutableMapping[str, str] = os.environ, pid: int | None = None
    ) -> Notifier:
        """Take systemd's variables out of the environment, so that no child speaks in our name."""
        address = environ.pop("NOTIFY_SOCKET", "")
        limit_us, meant = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        ours = meant in ("", str(os.getpid() if pid is None else pid))
        watchdog_s = int(limit_us) / 1e6 if ours and limit_us.isdecimal() else 0.0
        # Anything else (vsock:...) is a machine's own init, not a service's.
        return cls(address if address[:1] in ("/", "@") else "", watchdog_s)

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def ready(self) -> None:
        """Say once that start-up is over."""
        self._once("READY=1")

    def stopping(self) -> None:
        """Say once that the end has begun."""
        self._once("STOPPING=1")

    def status(self, text: str) -> None:
        """Say what `systemctl status` shows; on one line, cut to a length that a person reads."""
        line = " ".join(redact_text(text).split())
        self._send("STATUS=" + "".join(c for c in line if c.isprintable())[:MAX_STATUS_CHARACTERS])

    def beat(self, *, patient: bool = True) -> None:
        """Feed the watchdog; during a long start or stop, ask for more time as well while `patient`."""
        settled = "READY=1" in self._said and "STOPPING=1" not in self._said
        more = "" if settled or not patient else f"EXTEND_TIMEOUT_USEC={round(self.beat_s * 4e6)}"
        lines = [line for line in ("WATCHDOG=1" if self.watched else "", more) if line]
        if lines:
            self._send("\n".join(lines), again=False)

    def _once(self, word: str) -> None:
        if word not in self._said:
            self._said.add(word)
            self._send(word)

    def _send(self, text: str, *, again: bool = True) -> None:
        if not self._address:
            return
        self._owed.append(text)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                with _reachable(self._address) as address:
                    sender.connect(address)
                while self._owed:
                    sender.send(self._owed[0].encode("utf-8", errors="replace"))
                    del self._owed[0]
        except BlockingIOError:
            if not again:
                self._owed.remove(text)
        except OSError:
            self._owed.clear()


@contextlib.contextmanager
def _reachable(address: str) -> Iterator[str]:
    if address.startswith("@"):
        yield "\0" + address[1:]
        return
    with short_address(Path(address)) as short:
        yield short


async def follow(
    keeper: Keeper, notifier: Notifier, *, monotonic_s: Callable[[], float] = time.monotonic
) -> None:
    """Tell systemd of every change and feed its watchdog, from the keeper's own event loop, until cancelled.

    A keeper whose loop hangs says nothing more, and systemd ends it; an engine that hangs is the keeper's.
    """
    if not notifier.heard:
        return
    shown, next_beat_s = "", monotonic_s()
    # Within the condition: no change can fall between looking and waiting.
    async with keeper.changed:
        while True:
            shown = _tell(keeper, notifier, shown)
            if monotonic_s() >= next_beat_s:
                notifier.beat(patient=_worth_waiting(keeper))
                next_beat_s = monotonic_s() + notifier.beat_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, next_beat_s - monotonic_s())):
                    await keeper.changed.wait()


def _worth_waiting(keeper: Keeper) -> bool:
    """Whether a start that takes long goes on: one whose engine has said nothing at all for long does not."""
    engine, hung_after_s = keeper.engine, keeper.config.main.engine.hung_after_s
    if engine is None or keeper.leaving or hung_after_s <= 0:
        return True
    # Its libraries and keys take it seconds in which it cannot speak: it gets more than one that has settled.
    ages_s = (engine.figures_age_s(), engine.ping_age_s())
    return min(age_s for age_s in ages_s if age_s is not None) < START_PATIENCE * hung_after_s


def _tell(keeper: Keeper, notifier: Notifier, shown: str) -> str:
    engine, status = keeper.engine, keeper.status()
    if engine is None:
        return shown
    text = f"{status.state}, mode {status.mode}" + (f": {status.reason}" if status.reason else "")
    if text != shown:
        notifier.status(text)
    if keeper.leaving:
        notifier.stopping()
    elif engine.alive and engine.settled:
        notifier.ready()
    return text
