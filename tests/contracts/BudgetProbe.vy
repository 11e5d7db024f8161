# pragma version 0.4.3
# pragma evm-version cancun
"""Opens the executor's loss budget to tests."""

import loss_budget

initializes: loss_budget


@external
def setBudget(amount: uint256):
    loss_budget.store(loss_budget.with_budget(loss_budget.load(), amount))


@external
def open(bound_gwei: uint256):
    ledger: uint256 = loss_budget.load()
    loss_budget.check_may_open(ledger)
    loss_budget.store(loss_budget.opened(ledger, bound_gwei))


@external
def close(bound_gwei: uint256, loss_wei: uint256, drift_wei: uint256):
    loss_budget.store(loss_budget.closed(loss_budget.load(), bound_gwei, loss_wei, drift_wei))


@external
def setHalted(yes: bool):
    loss_budget.store(loss_budget.halted(loss_budget.load(), yes))


@external
@view
def figures() -> (uint256, uint256, uint256, bool):
    ledger: uint256 = loss_budget.load()
    return (
        loss_budget.spent_wei(ledger),
        loss_budget.reserved_wei(ledger),
        loss_budget.budget_wei(ledger),
        loss_budget.is_halted(ledger),
    )
