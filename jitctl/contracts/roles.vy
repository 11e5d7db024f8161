# pragma version 0.4.3
"""
@title Who may do what
@notice One owner (changing hands in two steps), one guardian, any number of operators.
"""

event OperatorSet:
    operator: indexed(address)
    allowed: bool

event GuardianSet:
    guardian: indexed(address)

event OwnershipOffered:
    to: indexed(address)

event OwnershipTaken:
    by: indexed(address)


owner: public(address)
pendingOwner: public(address)
guardian: public(address)
isOperator: public(HashMap[address, bool])


@deploy
def __init__(owner: address):
    assert owner != empty(address), "zero address"
    self.owner = owner


@internal
@view
def check_operator():
    assert self.isOperator[msg.sender], "not operator"


@internal
@view
def check_owner():
    assert msg.sender == self.owner, "not owner"


@internal
@view
def check_guardian():
    assert msg.sender == self.guardian or msg.sender == self.owner, "not guardian"


@internal
@view
def check_any():
    assert (
        self.isOperator[msg.sender] or msg.sender == self.guardian or msg.sender == self.owner
    ), "not allowed"


@external
@nonreentrant
def setOperator(operator: address, allowed: bool):
    self.check_owner()
    self.isOperator[operator] = allowed
    log OperatorSet(operator=operator, allowed=allowed)


@external
@nonreentrant
def setGuardian(guardian: address):
    self.check_owner()
    self.guardian = guardian
    log GuardianSet(guardian=guardian)


@external
@nonreentrant
def transferOwnership(to: address):
    """
    @notice Offer ownership; it changes hands when `to` takes it. The zero address withdraws an offer.
    """
    self.check_owner()
    self.pendingOwner = to
    log OwnershipOffered(to=to)


@external
@nonreentrant
def acceptOwnership():
    assert msg.sender == self.pendingOwner, "not offered"
    self.owner = msg.sender
    self.pendingOwner = empty(address)
    log OwnershipTaken(by=msg.sender)
