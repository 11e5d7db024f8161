# pragma version 0.4.3
# pragma evm-version cancun
"""A thief's contract: operator and swapper at once. What it is armed with runs when a pool asks it to pay."""

interface Token:
    def transfer(to: address, amount: uint256) -> bool: nonpayable

interface Pool:
    def token0() -> address: view
    def token1() -> address: view
    def swap(recipient: address, zeroForOne: bool, amount: int256, limit: uint160, data: Bytes[1]) -> (int256, int256): nonpayable

struct Call:
    target: address
    data: Bytes[512]

armed: DynArray[Call, 4]
failed: public(uint256)


@external
def arm(calls: DynArray[Call, 4]):
    self.armed = calls


@external
def run(calls: DynArray[Call, 8]):
    for one: Call in calls:
        raw_call(one.target, one.data)


@external
def swap(pool: address, zero_for_one: bool, amount: int256, limit: uint160):
    extcall Pool(pool).swap(self, zero_for_one, amount, limit, b"")


@external
def uniswapV3SwapCallback(amount0: int256, amount1: int256, data: Bytes[1]):
    self._play()
    if amount0 > 0:
        extcall Token(staticcall Pool(msg.sender).token0()).transfer(msg.sender, convert(amount0, uint256))
    if amount1 > 0:
        extcall Token(staticcall Pool(msg.sender).token1()).transfer(msg.sender, convert(amount1, uint256))


@internal
def _play():
    for one: Call in self.armed:
        if not raw_call(one.target, one.data, revert_on_failure=False):
            self.failed += 1
