"""Names that scripts, dashboards and people rely on: adding is fine, renaming breaks this test on purpose."""

from __future__ import annotations

from jitctl import errors
from jitctl.checks.preflight.names import NAMES
from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.bundle import ABANDON_REASONS
from jitctl.domain.engine_state import CrisisLevel, EngineState
from jitctl.domain.plan import SkipReason


def test_every_error_has_its_own_code_and_the_documented_exit_code() -> None:
    exit_codes = {
        "failed": 1, "usage": 2, "daemon_not_running": 3, "config_invalid": 4, "timed_out": 5,
        "permission_denied": 6, "positions_open": 7, "cannot_determine": 8, "refused": 9, "node": 1,
        "relay": 1, "ledger": 1, "toolchain": 1, "link_closed": 1,
    }  # fmt: skip
    assert {code: error.exit_code for code, error in errors.ERRORS_BY_CODE.items()} == exit_codes


def test_every_error_class_is_drawn_in_the_tree_and_known_by_its_code() -> None:
    classes = {errors.JitError, *errors.JitError.__subclasses__()}
    ours = {error for error in classes if error.__module__ == "jitctl.errors"}
    assert ours == set(errors.ERRORS_BY_CODE.values())
    for error in classes:
        assert error.__name__ in (errors.__doc__ or ""), error


def test_states_and_levels_are_the_documented_ones() -> None:
    assert " ".join(EngineState) == "STARTING SYNCING RUNNING PAUSED STOPPED HALTED"
    assert " ".join(AttemptState) == (
        "PLANNED SIMULATED SUBMITTING SUBMITTED INCLUDED MISSED REVERTED ABANDONED SETTLED"
    )
    assert " ".join(CrisisLevel) == "off low medium high critical"


def test_reasons_that_reports_and_metrics_carry_stay() -> None:
    assert {
        "not_a_swap", "undecodable", "unwatched_pool", "pool_disabled", "pool_stale", "blob_tx", "own_tx",
        "repeated", "fee_too_low", "nonce_gap", "expired", "too_small", "would_fail", "informed",
        "unprofitable", "no_capital", "mark_stale", "victim_gas", "too_late", "pool_busy", "no_lane",
        "not_running",
    } <= {str(reason) for reason in SkipReason}  # fmt: skip
    assert {
        "mint_reverts", "victim_reverts", "victim_gas", "burn_reverts", "parent_moved", "victim_gone",
        "victim_queued", "victim_short", "nonce_mismatch", "balance_short", "unprofitable",
        "simulation_failed", "simulation_timeout", "raw_mismatch", "not_armed", "paused", "limits",
        "mode_test", "stopping", "superseded", "crash", "barrier_timeout", "too_late", "sign_failed",
    } <= ABANDON_REASONS  # fmt: skip


def test_preflight_checks_that_scripts_select_stay() -> None:
    assert {
        "clock-skew", "disk-space", "file-descriptors", "key-permissions", "keys-open", "socket-folder",
        "daemon", "http-port", "signer-lock", "node-reachable", "chain-id", "node-sync", "head-age", "peers",
        "nodes-agree", "pending-feed", "simulate", "relays", "executor-code", "executor-halted", "operators",
        "guardian", "pool-rules", "loss-budget", "allowances", "gas-money", "capital", "pools", "price-marks",
        "ledger", "open-positions", "alert-routes",
    } <= set(NAMES)  # fmt: skip
