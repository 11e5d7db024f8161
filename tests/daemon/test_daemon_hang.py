"""When silence is a hang, with the time in the test's hand."""

from __future__ import annotations

from jitctl.daemon.hang import HangWatch


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def verdicts(watch, clock, silences, *, judged=True, step_s=1.0):
    found = []
    for silent_s in silences:
        clock.now_s += step_s
        found.append(watch.hangs(judged, silent_s))
    return found


def test_silence_is_a_hang_from_the_limit_on():
    clock = Clock()
    watch = HangWatch(3.0, monotonic_s=clock)
    assert verdicts(watch, clock, [0, 0, 1, 2, 2.9, 3, 4]) == [False] * 5 + [True] * 2


def test_engine_that_answers_starts_again_or_is_not_judged_never_hangs():
    clock = Clock()
    watch = HangWatch(3.0, monotonic_s=clock)
    assert not any(verdicts(watch, clock, [0, 2, 0, 2, 0, 2]))
    assert not any(verdicts(watch, clock, [10, 100, 1000], judged=False))


def test_zero_means_never():
    clock = Clock()
    assert not any(verdicts(HangWatch(0, monotonic_s=clock), clock, [10, 100, 10_000]))


def test_keeper_that_was_held_up_itself_counts_anew():
    clock = Clock()
    watch = HangWatch(3.0, monotonic_s=clock)
    assert not any(verdicts(watch, clock, [0, 0, 0]))
    clock.now_s += 60
    # The engine's answer may lie in the link, unread: the silence of that minute is our own.
    assert verdicts(watch, clock, [61, 62, 63, 64]) == [False, False, False, True]


def test_ticks_are_shorter_than_the_limit():
    assert HangWatch(1.0).tick_s == 0.25
    assert HangWatch(3600).tick_s == 1.0
