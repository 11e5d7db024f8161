"""jitctl: a Uniswap v3 just-in-time liquidity bot and the command line that operates it."""

__version__ = "0.1.0"
