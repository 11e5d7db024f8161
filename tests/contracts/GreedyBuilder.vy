# pragma version 0.4.3
# pragma evm-version cancun
"""A fee recipient that makes one call when it is paid, or burns all its gas when it has none to make.

Everything is in its code: a tip leaves too little gas to read it from storage.
"""

interface Executor:
    def acceptOwnership(): nonpayable

event Paid:
    amount: uint256
    entered: bool


target: immutable(address)
data: immutable(Bytes[512])
insist: immutable(bool)


@deploy
def __init__(target_: address, data_: Bytes[512], insist_: bool):
    target = target_
    data = data_
    insist = insist_


@external
def own():
    extcall Executor(target).acceptOwnership()


@external
@payable
def __default__():
    if len(data) == 0:
        for i: uint256 in range(2 ** 64):
            pass
    done: bool = raw_call(target, data, revert_on_failure=False)
    assert done or not insist
    log Paid(amount=msg.value, entered=done)
