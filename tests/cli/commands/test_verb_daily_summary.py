"""daily-summary: from the ledger, with or without a daemon."""

from __future__ import annotations

import json

from jitctl.ledger.store import LedgerStore


def test_all_forms(installed, jitctl):
    (installed / "data").mkdir()
    LedgerStore(installed / "data" / "ledger.db").close()
    summary = json.loads(jitctl("daily-summary", "--date", "2024-01-01", "-o", "json").stdout)
    assert list(summary)[:7] == [
        "date",
        "totalAttempts",
        "successfulAttempts",
        "successRate",
        "totalProfitUsd",
        "averageProfitUsd",
        "topPerformingPool",
    ]
    assert (summary["date"], summary["totalAttempts"]) == ("2024-01-01", 0)
    assert "nothing was sent" in jitctl("daily-summary", "--tz", "Europe/Zurich").stdout
    assert jitctl("daily-summary", "-o", "md").stdout.startswith("# Daily summary")


def test_what_cannot_be_said_is_not_said(installed, jitctl):
    assert jitctl("daily-summary", "--date", "soon").returncode == 2
    missing = jitctl("daily-summary")
    assert (missing.returncode, "no ledger" in missing.stderr) == (1, True)
