"""The record of validations, written from the keeper's loop and from its threads."""

import threading
from pathlib import Path

from jitctl.safety.durable import read_record
from jitctl.safety.validated import RECORD_NAME, ValidationRecord


def test_two_who_write_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    record = ValidationRecord(tmp_path)
    lost: list[int] = []

    def passes() -> None:
        for number in range(40):
            record.keep(str(number), "ann")
            if (read_record(tmp_path / RECORD_NAME) or {}).get("config_hash") != str(number):
                lost.append(number)

    passing = threading.Thread(target=passes)
    passing.start()
    for number in range(40):
        record.mark_running(str(number))
        if (read_record(tmp_path / RECORD_NAME) or {}).get("running") != str(number):
            lost.append(number)
    passing.join()
    assert lost == []
