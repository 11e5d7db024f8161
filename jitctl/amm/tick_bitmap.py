"""The bitmap of initialised ticks: 256 *spaced* ticks a word; a swap step never leaves its word.

A step that finds no initialised tick in its word ends at the word's edge, and the next step rounds anew.
That is why the words' edges decide wei, and why a swap cannot jump straight to the next initialised tick.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

WORD_BITS = 256


def build_bitmap(ticks: Iterable[int], tick_spacing: int) -> dict[int, int]:
    """Return word position -> word for initialised ticks, all multiples of the spacing."""
    words: dict[int, int] = {}
    for tick in ticks:
        word, bit = divmod(tick // tick_spacing, WORD_BITS)
        words[word] = words.get(word, 0) | 1 << bit
    return words


def next_initialized_tick_within_one_word(
    bitmap: Mapping[int, int], tick: int, tick_spacing: int, lte: bool
) -> tuple[int, bool]:
    """Return (next tick, is it initialised): at or left of `tick` if `lte`, else right of it.

    Without an initialised tick in the word it is the word's last tick in that direction. Python's floor
    division is what the contract does by hand for negative ticks.
    """
    compressed = tick // tick_spacing
    if lte:
        word, bit = divmod(compressed, WORD_BITS)
        found = bitmap.get(word, 0) & ((1 << (bit + 1)) - 1)
        if found:
            return (word * WORD_BITS + found.bit_length() - 1) * tick_spacing, True
        return word * WORD_BITS * tick_spacing, False
    word, bit = divmod(compressed + 1, WORD_BITS)
    found = bitmap.get(word, 0) >> bit
    if found:
        return (compressed + (found & -found).bit_length()) * tick_spacing, True
    return (word * WORD_BITS + WORD_BITS - 1) * tick_spacing, False


def is_word_edge(tick: int, tick_spacing: int, lte: bool) -> bool:
    """Say whether steps in that direction end at `tick` even if it is not initialised."""
    return tick % tick_spacing == 0 and tick // tick_spacing % WORD_BITS == (0 if lte else WORD_BITS - 1)
