# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A settable price feed with the shape of Chainlink's AggregatorV3Interface
@license MIT
@notice USD with 8 decimals. Anyone may set it: it is the devnet's external market.
"""

struct Round:
    answer: int256
    updatedAt: uint256

decimals: public(constant(uint8)) = 8
version: public(constant(uint256)) = 4
description: public(String[32])
latestRound: public(uint80)
rounds: HashMap[uint80, Round]


@deploy
def __init__(description: String[32], answer: int256):
    self.description = description
    self._set(answer, block.timestamp)


@external
def set(answer: int256):
    self._set(answer, block.timestamp)


@external
def setAt(answer: int256, updated_at: uint256):
    """Set an answer that claims to be of another time, to try how staleness is handled."""
    self._set(answer, updated_at)


@external
@view
def latestAnswer() -> int256:
    return self.rounds[self.latestRound].answer


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    return self._round(self.latestRound)


@external
@view
def getRoundData(round_id: uint80) -> (uint80, int256, uint256, uint256, uint80):
    assert round_id != 0 and round_id <= self.latestRound, "No data present"
    return self._round(round_id)


@internal
@view
def _round(round_id: uint80) -> (uint80, int256, uint256, uint256, uint80):
    found: Round = self.rounds[round_id]
    return round_id, found.answer, found.updatedAt, found.updatedAt, round_id


@internal
def _set(answer: int256, updated_at: uint256):
    self.latestRound += 1
    self.rounds[self.latestRound] = Round(answer=answer, updatedAt=updated_at)
