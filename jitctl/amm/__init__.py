"""Exact integer Uniswap v3 maths, one concept a file, under the on-chain names."""
