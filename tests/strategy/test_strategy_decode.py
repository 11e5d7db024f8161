"""Calldata encoded from the routers' published ABIs comes back as the swaps that the user meant."""

from __future__ import annotations

import random

import pytest
from eth_abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import Web3

from jitctl.devnet import toolchain
from jitctl.domain.chain import PendingTx
from jitctl.domain.swap_intent import BalanceFloor, RouterBalance, SwapHop, SwapIntent
from jitctl.domain.values import Address, Hash32
from jitctl.strategy.decode import MAX_CALLDATA_BYTES, RouterKind, Routers, decode
from jitctl.strategy.router_ledger import MAX_CALLS, MAX_DEPTH

V3 = Address("0x" + "a1" * 20)
ROUTER02 = Address("0x" + "a2" * 20)
UNIVERSAL = Address("0x" + "a3" * 20)
USER = "0x" + "5e" * 20
WETH = Address("0x" + "cc" * 20)
USDC = Address("0x" + "11" * 20)
DAI = Address("0x" + "ee" * 20)
ZERO = "0x" + "00" * 20
SENDER_FLAG = "0x" + "00" * 19 + "01"
ROUTER_FLAG = "0x" + "00" * 19 + "02"
CONTRACT_BALANCE = 1 << 255
DEADLINE_S = 1_800_000_000
ROUTERS = Routers({V3: RouterKind.V3, ROUTER02: RouterKind.ROUTER02, UNIVERSAL: RouterKind.UNIVERSAL}, WETH)


def _contract(key: str, name: str):
    return Web3().eth.contract(abi=toolchain.artifact(key, name)["abi"])


@pytest.fixture(scope="module")
def v3():
    return _contract("v3-periphery", "SwapRouter")


@pytest.fixture(scope="module")
def router02():
    return _contract("swap-router", "SwapRouter02")


@pytest.fixture(scope="module")
def universal():
    return _contract("universal-router", "UniversalRouter")


def call(contract, signature: str, *args) -> bytes:
    function = contract.get_function_by_signature(signature)(*args)
    return bytes.fromhex(function._encode_transaction_data()[2:])


def tx(to: Address | None, calldata: bytes, value_wei: int = 0) -> PendingTx:
    return PendingTx(
        Hash32("0x" + "ab" * 32), Address(USER), to, 0, value_wei, calldata, 300_000, 2, 1, 1, {}, 0
    )


def path(*parts: str | int) -> bytes:
    return b"".join(
        bytes.fromhex(part[2:]) if isinstance(part, str) else part.to_bytes(3, "big") for part in parts
    )


def only(swap_tx) -> SwapIntent:
    assert swap_tx is not None
    assert len(swap_tx.intents) == 1
    return swap_tx.intents[0]


SINGLE = (SwapHop(WETH, USDC, 500),)
DOUBLE = (SwapHop(USDC, WETH, 3000), SwapHop(WETH, DAI, 500))


class TestSwapRouter:
    SINGLE_IN = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
    SINGLE_OUT = "exactOutputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
    PATH_IN = "exactInput((bytes,address,uint256,uint256,uint256))"
    PATH_OUT = "exactOutput((bytes,address,uint256,uint256,uint256))"

    @pytest.mark.parametrize(("signature", "exact_in"), [(SINGLE_IN, True), (SINGLE_OUT, False)])
    def test_single(self, v3, signature, exact_in):
        args = (
            Web3.to_checksum_address(WETH),
            Web3.to_checksum_address(USDC),
            500,
            USER,
            DEADLINE_S,
            7,
            8,
            9,
        )
        args = (*args[:3], Web3.to_checksum_address(USER), *args[4:])
        intent = only(decode(tx(V3, call(v3, signature, args)), ROUTERS))
        assert intent == SwapIntent("v3", SINGLE, exact_in, 7, 8, 9, DEADLINE_S)

    def test_exact_input_path(self, v3):
        data = call(
            v3,
            self.PATH_IN,
            (path(USDC, 3000, WETH, 500, DAI), Web3.to_checksum_address(USER), DEADLINE_S, 7, 8),
        )
        intent = only(decode(tx(V3, data), ROUTERS))
        assert intent == SwapIntent("v3", DOUBLE, True, 7, 8, 0, DEADLINE_S)

    def test_exact_output_path_runs_from_the_output_and_comes_back_in_swap_order(self, v3):
        data = call(
            v3,
            self.PATH_OUT,
            (path(DAI, 500, WETH, 3000, USDC), Web3.to_checksum_address(USER), DEADLINE_S, 7, 8),
        )
        intent = only(decode(tx(V3, data), ROUTERS))
        assert intent == SwapIntent("v3", DOUBLE, False, 7, 8, 0, DEADLINE_S)

    def test_nested_multicall_with_native_ether_both_ways(self, v3):
        to_router = call(
            v3,
            self.SINGLE_IN,
            (Web3.to_checksum_address(USDC), Web3.to_checksum_address(WETH), 3000, ZERO, DEADLINE_S, 5, 1, 0),
        )
        unwrap = call(v3, "unwrapWETH9(uint256,address)", 4, Web3.to_checksum_address(USER))
        paid_in_ether = call(
            v3,
            self.SINGLE_OUT,
            (
                Web3.to_checksum_address(WETH),
                Web3.to_checksum_address(USDC),
                500,
                Web3.to_checksum_address(USER),
                DEADLINE_S,
                3,
                2,
                0,
            ),
        )
        refund = call(v3, "refundETH()")
        inner = call(v3, "multicall(bytes[])", [to_router, unwrap])
        data = call(v3, "multicall(bytes[])", [inner, paid_in_ether, refund])
        decoded = decode(tx(V3, data, 2), ROUTERS)
        assert decoded is not None
        assert [(one.exact_in, one.amount) for one in decoded.intents] == [(True, 5), (False, 3)]
        assert decoded.floors == (BalanceFloor(RouterBalance(0, (0,)), 4),)

    def test_unknown_selector_reverts_on_chain_and_is_none(self):
        assert decode(tx(V3, bytes.fromhex("deadbeef") + bytes(64)), ROUTERS) is None

    def test_a_permit_alone_swaps_nothing(self, v3):
        decoded = decode(tx(V3, call(v3, "refundETH()")), ROUTERS)
        assert decoded is not None
        assert decoded.intents == ()


class TestSwapRouter02:
    SINGLE_IN = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
    SINGLE_OUT = "exactOutputSingle((address,address,uint24,address,uint256,uint256,uint160))"
    PATH_IN = "exactInput((bytes,address,uint256,uint256))"
    PATH_OUT = "exactOutput((bytes,address,uint256,uint256))"
    WETH_USDC = (Web3.to_checksum_address(WETH), Web3.to_checksum_address(USDC), 500)

    @pytest.mark.parametrize(("signature", "exact_in"), [(SINGLE_IN, True), (SINGLE_OUT, False)])
    def test_single_has_no_deadline_of_its_own(self, router02, signature, exact_in):
        data = call(router02, signature, (*self.WETH_USDC, SENDER_FLAG, 7, 8, 9))
        assert only(decode(tx(ROUTER02, data), ROUTERS)) == SwapIntent("02", SINGLE, exact_in, 7, 8, 9, None)

    @pytest.mark.parametrize("exact_in", [True, False])
    def test_path(self, router02, exact_in):
        raw = path(USDC, 3000, WETH, 500, DAI) if exact_in else path(DAI, 500, WETH, 3000, USDC)
        data = call(router02, self.PATH_IN if exact_in else self.PATH_OUT, (raw, SENDER_FLAG, 7, 8))
        assert only(decode(tx(ROUTER02, data), ROUTERS)) == SwapIntent("02", DOUBLE, exact_in, 7, 8)

    def test_multicall_deadline_holds_for_what_is_inside(self, router02):
        one = call(router02, self.SINGLE_IN, (*self.WETH_USDC, ROUTER_FLAG, 7, 0, 0))
        sweep = call(router02, "sweepToken(address,uint256)", Web3.to_checksum_address(USDC), 6)
        data = call(router02, "multicall(uint256,bytes[])", DEADLINE_S, [one, sweep])
        decoded = decode(tx(ROUTER02, data), ROUTERS)
        assert only(decoded).deadline_s == DEADLINE_S
        assert decoded.floors == (BalanceFloor(RouterBalance(0, (0,)), 6),)

    def test_multicall_on_a_parent_pins_it(self, router02):
        one = call(router02, self.SINGLE_IN, (*self.WETH_USDC, SENDER_FLAG, 7, 8, 0))
        parent = bytes(range(32))
        decoded = decode(tx(ROUTER02, call(router02, "multicall(bytes32,bytes[])", parent, [one])), ROUTERS)
        assert decoded.required_parent == "0x" + parent.hex()

    def test_two_different_parents_can_never_succeed(self, router02):
        one = call(router02, self.SINGLE_IN, (*self.WETH_USDC, SENDER_FLAG, 7, 8, 0))
        inner = call(router02, "multicall(bytes32,bytes[])", bytes(32), [one])
        data = call(router02, "multicall(bytes32,bytes[])", bytes(range(32)), [inner])
        assert decode(tx(ROUTER02, data), ROUTERS) is None

    def test_amount_zero_is_the_routers_balance(self, router02):
        wrap = call(router02, "wrapETH(uint256)", 70)
        swap = call(router02, self.SINGLE_IN, (*self.WETH_USDC, SENDER_FLAG, 0, 8, 0))
        data = call(router02, "multicall(bytes[])", [wrap, swap])
        assert only(decode(tx(ROUTER02, data, 70), ROUTERS)).amount == 70

    def test_pulled_tokens_are_swapped_by_balance(self, router02):
        pull = call(router02, "pull(address,uint256)", Web3.to_checksum_address(USDC), 33)
        swap = call(router02, self.PATH_IN, (path(USDC, 3000, WETH, 500, DAI), SENDER_FLAG, 0, 8))
        assert (
            only(decode(tx(ROUTER02, call(router02, "multicall(bytes[])", [pull, swap])), ROUTERS)).amount
            == 33
        )

    def test_an_output_left_in_the_router_is_carried(self, router02):
        first = call(
            router02,
            self.SINGLE_IN,
            (Web3.to_checksum_address(USDC), Web3.to_checksum_address(WETH), 3000, ROUTER_FLAG, 9, 0, 0),
        )
        second = call(router02, self.SINGLE_IN, (*self.WETH_USDC, SENDER_FLAG, 0, 8, 0))
        decoded = decode(tx(ROUTER02, call(router02, "multicall(bytes[])", [first, second])), ROUTERS)
        assert decoded.intents[1].carry == RouterBalance(0, (0,))

    def test_a_v2_swap_makes_balances_unknown(self, router02):
        v2 = call(
            router02,
            "swapExactTokensForTokens(uint256,uint256,address[],address)",
            9,
            0,
            [Web3.to_checksum_address(USDC), Web3.to_checksum_address(WETH)],
            ROUTER_FLAG,
        )
        by_balance = call(router02, self.SINGLE_IN, (*self.WETH_USDC, SENDER_FLAG, 0, 8, 0))
        by_amount = call(router02, self.SINGLE_IN, (*self.WETH_USDC, SENDER_FLAG, 4, 8, 0))
        assert decode(tx(ROUTER02, call(router02, "multicall(bytes[])", [v2, by_balance])), ROUTERS) is None
        assert (
            only(decode(tx(ROUTER02, call(router02, "multicall(bytes[])", [v2, by_amount])), ROUTERS)).amount
            == 4
        )


def swap_input(recipient: str, amount: int, limit: int, raw_path: bytes, paid_by_user: bool) -> bytes:
    return encode(
        ["address", "uint256", "uint256", "bytes", "bool"], [recipient, amount, limit, raw_path, paid_by_user]
    )


def execute(
    universal, commands: list[int], inputs: list[bytes], deadline_s: int | None = DEADLINE_S
) -> bytes:
    if deadline_s is None:
        return call(universal, "execute(bytes,bytes[])", bytes(commands), inputs)
    return call(universal, "execute(bytes,bytes[],uint256)", bytes(commands), inputs, deadline_s)


class TestUniversalRouter:
    ONE = path(WETH, 500, USDC)

    def test_exact_in_and_out(self, universal):
        data = execute(
            universal,
            [0x00, 0x01],
            [
                swap_input(SENDER_FLAG, 7, 8, path(USDC, 3000, WETH, 500, DAI), True),
                swap_input(SENDER_FLAG, 9, 10, path(DAI, 500, WETH, 3000, USDC), True),
            ],
        )
        assert decode(tx(UNIVERSAL, data), ROUTERS).intents == (
            SwapIntent("universal", DOUBLE, True, 7, 8, 0, DEADLINE_S),
            SwapIntent("universal", DOUBLE, False, 9, 10, 0, DEADLINE_S),
        )

    def test_without_deadline_and_signed(self, universal):
        plain = execute(universal, [0x00], [swap_input(SENDER_FLAG, 7, 8, self.ONE, True)], None)
        assert only(decode(tx(UNIVERSAL, plain), ROUTERS)).deadline_s is None
        signed = call(
            universal,
            "executeSigned(bytes,bytes[],bytes32,bytes32,bool,bytes32,bytes,uint256)",
            bytes([0x00]),
            [swap_input(SENDER_FLAG, 7, 8, self.ONE, True)],
            bytes(32),
            bytes(32),
            False,
            bytes(32),
            bytes(65),
            DEADLINE_S,
        )
        assert only(decode(tx(UNIVERSAL, signed), ROUTERS)) == SwapIntent(
            "universal", SINGLE, True, 7, 8, 0, DEADLINE_S
        )

    def test_native_ether_in(self, universal):
        wrap = encode(["address", "uint256"], [ROUTER_FLAG, CONTRACT_BALANCE])
        swap = swap_input(SENDER_FLAG, CONTRACT_BALANCE, 8, self.ONE, False)
        data = execute(universal, [0x0B, 0x00], [wrap, swap])
        assert only(decode(tx(UNIVERSAL, data, 123), ROUTERS)).amount == 123

    def test_native_ether_out_after_a_fee_portion(self, universal):
        swap = swap_input(ROUTER_FLAG, 7, 0, path(USDC, 3000, WETH), True)
        portion = encode(["address", "address", "uint256"], [WETH, USER, 25])
        unwrap = encode(["address", "uint256"], [SENDER_FLAG, 900])
        decoded = decode(
            tx(UNIVERSAL, execute(universal, [0x00, 0x06, 0x0C], [swap, portion, unwrap])), ROUTERS
        )
        floor = BalanceFloor(RouterBalance(0, (0,), (25,)), 900)
        assert decoded.floors == (floor,)
        assert floor.balance.amount([10_000]) == 9_975

    def test_permit2_moves_tokens_in_first(self, universal):
        permit = b"\x01" * 64
        pull = encode(["address", "address", "uint160"], [USDC, ROUTER_FLAG, 55])
        swap = swap_input(SENDER_FLAG, CONTRACT_BALANCE, 8, path(USDC, 3000, WETH), False)
        data = execute(universal, [0x0A | 0x80, 0x02, 0x00], [permit, pull, swap])
        assert only(decode(tx(UNIVERSAL, data), ROUTERS)).amount == 55

    def test_permit2_batch_counts_only_what_goes_to_the_router(self, universal):
        batch = encode(
            ["(address,address,uint160,address)[]"],
            [[(USER, UNIVERSAL, 30, USDC), (USER, USER, 40, USDC), (USER, UNIVERSAL, 5, USDC)]],
        )
        swap = swap_input(SENDER_FLAG, CONTRACT_BALANCE, 8, path(USDC, 3000, WETH), False)
        assert (
            only(decode(tx(UNIVERSAL, execute(universal, [0x0D, 0x00], [batch, swap])), ROUTERS)).amount == 35
        )

    def test_split_route_swept_together(self, universal):
        first = swap_input(ROUTER_FLAG, 7, 0, path(USDC, 3000, WETH), True)
        second = swap_input(ROUTER_FLAG, 3, 0, path(USDC, 500, WETH), True)
        sweep = encode(["address", "address", "uint256"], [WETH, SENDER_FLAG, 77])
        decoded = decode(
            tx(UNIVERSAL, execute(universal, [0x00, 0x00, 0x04], [first, second, sweep])), ROUTERS
        )
        assert len(decoded.intents) == 2
        assert decoded.floors == (BalanceFloor(RouterBalance(0, (0, 1)), 77),)

    def test_transfer_takes_from_the_balance(self, universal):
        wrap = encode(["address", "uint256"], [ROUTER_FLAG, 100])
        transfer = encode(["address", "address", "uint256"], [WETH, USER, 30])
        swap = swap_input(SENDER_FLAG, CONTRACT_BALANCE, 8, self.ONE, False)
        data = execute(universal, [0x0B, 0x05, 0x00], [wrap, transfer, swap])
        assert only(decode(tx(UNIVERSAL, data, 100), ROUTERS)).amount == 70

    def test_sub_plan_that_may_revert(self, universal):
        inner = encode(["bytes", "bytes[]"], [bytes([0x00]), [swap_input(SENDER_FLAG, 7, 8, self.ONE, True)]])
        assert only(decode(tx(UNIVERSAL, execute(universal, [0x21 | 0x80], [inner])), ROUTERS)).amount == 7

    def test_opaque_commands_leave_fixed_amounts_readable(self, universal):
        fixed = swap_input(SENDER_FLAG, 7, 8, self.ONE, True)
        by_balance = swap_input(SENDER_FLAG, CONTRACT_BALANCE, 8, self.ONE, False)
        assert (
            only(decode(tx(UNIVERSAL, execute(universal, [0x08, 0x00], [bytes(160), fixed])), ROUTERS)).amount
            == 7
        )
        assert (
            decode(tx(UNIVERSAL, execute(universal, [0x10, 0x00], [bytes(160), by_balance])), ROUTERS) is None
        )

    def test_taking_liquidity_out_is_not_understood(self, universal):
        fixed = swap_input(SENDER_FLAG, 7, 8, self.ONE, True)
        assert decode(tx(UNIVERSAL, execute(universal, [0x12, 0x00], [bytes(160), fixed])), ROUTERS) is None

    def test_lengths_that_differ_revert_on_chain(self, universal):
        data = call(
            universal, "execute(bytes,bytes[])", bytes([0, 0]), [swap_input(USER, 7, 8, self.ONE, True)]
        )
        assert decode(tx(UNIVERSAL, data), ROUTERS) is None

    def test_words_appended_by_later_versions_do_not_matter(self, universal):
        longer = encode(
            ["address", "uint256", "uint256", "bytes", "bool", "uint256[]"],
            [SENDER_FLAG, 7, 8, self.ONE, True, [1, 2]],
        )
        assert only(decode(tx(UNIVERSAL, execute(universal, [0x00], [longer])), ROUTERS)).amount == 7


def test_anyone_else_is_rejected_by_one_lookup():
    assert ROUTERS.router_of(None) is None
    assert ROUTERS.router_of(Address(USER)) is None
    assert ROUTERS.router_of(UNIVERSAL) is RouterKind.UNIVERSAL
    assert decode(tx(Address(USER), b"\x00" * 4), ROUTERS) is None
    assert decode(tx(None, b""), ROUTERS) is None


_SEEDS: list[tuple[Address, bytes]] = []


def _well_formed() -> list[tuple[Address, bytes]]:
    if not _SEEDS:
        v3 = _contract("v3-periphery", "SwapRouter")
        router02 = _contract("swap-router", "SwapRouter02")
        universal = _contract("universal-router", "UniversalRouter")
        user = Web3.to_checksum_address(USER)
        double = path(USDC, 3000, WETH, 500, DAI)
        v3_path = call(v3, TestSwapRouter.PATH_IN, (double, user, DEADLINE_S, 7, 8))
        one_02 = call(router02, TestSwapRouter02.PATH_IN, (double, SENDER_FLAG, 7, 8))
        inner = encode(["bytes", "bytes[]"], [bytes([0x00]), [swap_input(ROUTER_FLAG, 7, 8, double, True)]])
        sweep = encode(["address", "address", "uint256"], [WETH, SENDER_FLAG, 77])
        _SEEDS.extend(
            [
                (V3, call(v3, "multicall(bytes[])", [v3_path, v3_path])),
                (ROUTER02, call(router02, "multicall(uint256,bytes[])", DEADLINE_S, [one_02, one_02])),
                (
                    UNIVERSAL,
                    execute(
                        universal, [0x21, 0x00, 0x04], [inner, swap_input(USER, 7, 8, double, True), sweep]
                    ),
                ),
            ]
        )
    return _SEEDS


@settings(max_examples=20_000, deadline=None)
@given(st.integers(0, (1 << 64) - 1))
def test_hostile_calldata_never_raises(seed):
    """Well-formed calldata with words overwritten, inserted and cut: an answer, never an exception."""
    rng = random.Random(seed)  # one draw an example; drawing every byte from hypothesis is ten times slower
    to, calldata = rng.choice(_well_formed())
    mutated = bytearray(calldata)
    for _ in range(rng.randint(0, 3)):
        at = rng.randint(0, len(mutated) // 32) * 32 + 4
        small, any_word = rng.randint(0, 1 << 12), rng.getrandbits(rng.choice((16, 64, 160, 256)))
        mutated[at : at + 32] = rng.choice(
            (small.to_bytes(32, "big"), any_word.to_bytes(32, "big"), rng.randbytes(rng.randint(0, 40)))
        )
    if rng.random() < 0.5:
        del mutated[rng.randint(0, len(mutated)) :]
    decoded = decode(tx(to, bytes(mutated), rng.getrandbits(96)), ROUTERS)
    assert decoded is None or all(intent.hops for intent in decoded.intents)


@settings(max_examples=2_000, deadline=None)
@given(st.sampled_from([V3, ROUTER02, UNIVERSAL]), st.binary(max_size=300))
def test_noise_never_raises(to, noise):
    decode(tx(to, noise), ROUTERS)


def _bomb(selector: str, levels: int, width: int) -> bytes:
    """A multicall whose elements all point at one blob, which is again such a multicall."""
    payload = bytes.fromhex("deadbeef")
    for _ in range(levels):
        heads = (32 * width).to_bytes(32, "big") * width
        body = len(payload).to_bytes(32, "big") + payload + bytes(-len(payload) % 32)
        payload = (
            bytes.fromhex(selector) + (32).to_bytes(32, "big") + width.to_bytes(32, "big") + heads + body
        )
    return payload


@pytest.mark.timeout(20)  # multiplied, the work would take days
@pytest.mark.parametrize(("levels", "width"), [(MAX_DEPTH, 900), (12, 30), (1, MAX_CALLS), (60, 1)])
def test_repeated_offsets_do_not_multiply_the_work(levels, width):
    bomb = _bomb("ac9650d8", levels, width)
    assert len(bomb) <= MAX_CALLDATA_BYTES
    for to in (V3, ROUTER02):
        assert decode(tx(to, bomb), ROUTERS) is None


def test_oversized_calldata_is_not_read():
    assert decode(tx(V3, bytes(MAX_CALLDATA_BYTES + 1)), ROUTERS) is None
