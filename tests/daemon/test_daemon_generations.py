"""Generations: what runs is what was validated, kept whole; a crash leaves the old or the new."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from installation import JITCTL_TOML, POOLS_TOML, STRATEGY_TOML, eventually, running_keeper, write_config

from jitctl.config.generations import Generations
from jitctl.config.load import load
from jitctl.control.client import Client
from jitctl.errors import ConfigError, JitError, LinkClosed, Refused

SECOND_POOL = (
    POOLS_TOML.replace("WETH/USDC-0.05%", "WETH/DAI-0.3%")
    .replace("66" * 20, "77" * 20)
    .replace("fee_pips = 500", "fee_pips = 3000")
    .replace("tick_spacing = 10", "tick_spacing = 60")
)
SMALLER = STRATEGY_TOML.replace("20 ether", "10 ether")


@pytest.fixture
def keeper(tmp_path):
    with running_keeper(tmp_path) as running:
        yield running


def store(folder: Path) -> Generations:
    return Generations(folder / "data")


def live(folder: Path) -> tuple[int, str]:
    """Return number and hash of the current generation, which must load to that hash and be alone."""
    kept = store(folder)
    current = kept.current()
    assert current is not None
    assert load(folder / "config", kept.texts(current, folder / "config")).hash == current.hash
    stray = [entry.name for entry in kept.folder.iterdir() if entry.name.startswith(".")]
    assert stray == [], "something was left behind"
    return current.number, current.hash


def test_every_configuration_that_was_live_is_kept_and_nothing_else(tmp_path):
    write_config(tmp_path)
    with running_keeper(tmp_path) as keeper:
        client = keeper.client()
        assert live(tmp_path) == (1, client.call("status")["configHash"])
        write_config(tmp_path, strategy=SMALLER)
        client.call("reload-strategy", body={"reason": "smaller"})
        assert live(tmp_path) == (2, client.call("status")["configHash"])
        write_config(tmp_path, strategy="[limits")
        with pytest.raises(ConfigError):
            client.call("reload-strategy")
        assert live(tmp_path)[0] == client.call("status")["generation"] == 2
    write_config(tmp_path, strategy="# the same values\n" + SMALLER)
    with running_keeper(tmp_path):
        assert live(tmp_path)[0] == 2
    write_config(tmp_path)
    with running_keeper(tmp_path, behaviour="refuse-reload") as keeper:
        assert live(tmp_path)[0] == 3
        write_config(tmp_path, strategy=SMALLER)
        with pytest.raises(Refused):
            keeper.client().call("reload-strategy")
        assert live(tmp_path)[0] == 3
    found = store(tmp_path).all()
    assert [(each.number, each.verb, each.why) for each in found] == [
        (1, "start", ""), (2, "reload-strategy", "smaller"), (3, "start", ""),
    ]  # fmt: skip
    assert found[0].hash == found[2].hash != found[1].hash


def test_a_generation_holds_what_is_live_of_files_that_are_taken_in_part(keeper):
    """All three files edited: pools and feeds are taken, the strategy and the slot time are not."""
    feeds = 'WETH = "0x' + "44" * 20
    main = JITCTL_TOML.replace(feeds, 'WETH = "0x' + "45" * 20)
    main = main.replace("chain_id = 31337", "chain_id = 31337\nslot_seconds = 6.0")
    write_config(keeper.base, jitctl=main, pools=POOLS_TOML + SECOND_POOL, strategy=SMALLER)
    reply = keeper.client().call("reload-pools")
    number, config_hash = live(keeper.base)
    assert (number, config_hash) == (2, keeper.client().call("status")["configHash"])
    kept, config = store(keeper.base), keeper.base / "config"
    texts = kept.texts(kept.all()[-1], config)
    assert texts["strategy"].data == STRATEGY_TOML.encode()
    assert texts["jitctl"].data.startswith(b"# Written by a reload")
    running = load(config, texts)
    assert (running.main.chain.slot_seconds, running.main.prices.feeds["WETH"]) == (12.0, "0x" + "45" * 20)
    assert {each["key"] for each in reply["changes"]} == {"pools[WETH/DAI-0.3%]", "prices.feeds.WETH"}
    assert [each["key"] for each in reply["needsRestart"]] == ["chain.slot_seconds"]
    assert "reload-strategy" in reply["hint"]
    assert keeper.client().call("reload-strategy")["generation"] == 3
    assert live(keeper.base)[0] == 3


def test_a_generation_whose_record_is_lost_does_not_lend_its_number(tmp_path):
    write_config(tmp_path)
    with running_keeper(tmp_path):
        assert live(tmp_path)[0] == 1
    record = store(tmp_path).folder_of(store(tmp_path).all()[0]) / "generation.json"
    record.write_bytes(b"")
    with running_keeper(tmp_path) as keeper:
        assert live(tmp_path) == (2, keeper.client().call("status")["configHash"])


def test_both_at_once_or_neither(keeper):
    client = keeper.client()
    write_config(keeper.base, pools=POOLS_TOML + SECOND_POOL, strategy="[limits]\nmin_profit_wei = -1\n")
    with pytest.raises(ConfigError) as wrong:
        client.call("reload-config")
    assert "strategy.toml:2:" in str(wrong.value)
    assert client.call("config")["generation"] == 1
    write_config(keeper.base, pools=POOLS_TOML + SECOND_POOL, strategy=SMALLER)
    client.call("reload-config", body={"reason": "back", "restores": 1})
    running = client.call("config")
    assert (running["generation"], running["restores"], running["why"]) == (2, 1, "back")
    assert running["hash"] == load(keeper.config).hash
    assert running["values"]["pools"]["pools[WETH/DAI-0.3%].fee_pips"] == 3000


def test_without_room_for_a_generation_nothing_changes(keeper):
    client, kept = keeper.client(), keeper.base / "data" / "generations"
    # Nothing can be made below a file; a full disk refuses at the same places.
    kept.rename(kept.with_name("aside"))
    kept.write_text("")
    write_config(keeper.base, strategy=SMALLER)
    with pytest.raises(JitError, match="cannot be kept") as full:
        client.call("reload-strategy")
    assert full.value.exit_code == 1
    kept.unlink()
    kept.with_name("aside").rename(kept)
    assert live(keeper.base) == (1, client.call("status")["configHash"])
    assert client.call("reload-strategy")["changed"] is True


def test_a_reload_that_cannot_be_named_current_has_happened_and_is_named_later(keeper):
    client, current = keeper.client(), keeper.base / "data" / "generations" / "current.json"
    current.unlink()
    current.mkdir()
    write_config(keeper.base, strategy=SMALLER)
    reply = client.call("reload-strategy")
    assert (reply["changed"], reply["generation"], "tried again" in reply["hint"]) == (True, 2, True)
    assert client.call("status")["configHash"] == load(keeper.config).hash
    current.rmdir()
    eventually(current.is_file, "it is named once there is room")
    assert live(keeper.base)[0] == 2


def test_a_file_that_is_being_written_is_waited_for_and_then_refused(keeper):
    """A writer that never rests: no moment of it is taken over."""
    strategy, done = keeper.config / "strategy.toml", threading.Event()

    def write() -> None:
        while not done.is_set():
            strategy.write_text(SMALLER)
            time.sleep(0.01)  # what a writer does between two blocks

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(Refused, match="is being written"):
            keeper.client().call("reload-strategy")
    finally:
        done.set()
        writer.join()
    assert keeper.client().call("reload-strategy")["changed"] is True


@pytest.mark.parametrize("point", ["before-swap", "after-swap"])
@pytest.mark.parametrize("who", ["engine-dies", "keeper-dies", "both-die"])
def test_kill_9_during_a_reload_leaves_one_whole_generation(tmp_path, who, point):
    write_config(tmp_path)
    with running_keeper(tmp_path, behaviour=f"{who}-{point}") as keeper:
        write_config(tmp_path, strategy=SMALLER)
        with pytest.raises(JitError):
            keeper.client().call("reload-strategy")
        if who == "engine-dies":
            assert keeper.client().call("start")["changed"] is True
            assert live(tmp_path) == (2, keeper.client().call("status")["configHash"])
        else:
            keeper.process.wait(10)
    with running_keeper(tmp_path) as keeper:
        wanted = load(tmp_path / "config").hash
        assert live(tmp_path) == (2, keeper.client().call("status")["configHash"]) == (2, wanted)
        assert [each.number for each in store(tmp_path).all()] == [1, 2]


def test_the_next_start_clears_what_a_crash_left(tmp_path):
    config = load(write_config(tmp_path))
    with running_keeper(tmp_path):
        pass
    kept = store(tmp_path)
    smaller = load(write_config(tmp_path, strategy=SMALLER))
    kept.keep(smaller.hash, smaller.texts, time_s=1.0, verb="reload-strategy")
    (kept.folder / ".unfinished").mkdir()
    (kept.folder / ".unfinished" / "pools.toml").write_text("half")
    (kept.folder / ".current.json.123.new").write_text("{")
    assert [each.number for each in kept.all()] == [1]
    write_config(tmp_path)
    with running_keeper(tmp_path):
        assert live(tmp_path) == (1, config.hash)


def test_kill_9_at_any_moment_of_a_reload(tmp_path):
    """Wherever it falls; a twentieth of what `JITCTL_FULL=1` does."""
    dice, write = random.Random(17), write_config
    write(tmp_path)
    for number in range(100 if os.environ.get("JITCTL_FULL") else 5):
        with running_keeper(tmp_path) as keeper:
            before = keeper.client().call("status")["configHash"]
            assert live(tmp_path)[1] == before
            write(tmp_path, strategy=STRATEGY_TOML.replace("20 ether", f"{21 + number} ether"))
            asked = threading.Thread(target=_reload_and_forget, args=(keeper.client(),))
            asked.start()
            time.sleep(dice.uniform(0.0, 0.3))  # this is the moment that is drawn
            os.kill(keeper.process.pid, signal.SIGKILL)
            asked.join()
            keeper.process.wait(10)
        after = load(tmp_path / "config").hash
        current = store(tmp_path).current()
        assert current is not None
        assert current.hash in (before, after)


def _reload_and_forget(client: Client) -> None:
    try:
        client.call("reload-strategy")
    except (JitError, LinkClosed):
        return


def test_fifty_reloads_at_once_are_done_one_after_another_and_answered_truly(keeper):
    base = keeper.base
    turn = threading.Lock()

    def one(number: int) -> dict[str, object]:
        with turn:
            # Whole files, as an editor leaves them; never two writers at once.
            scratch = keeper.config / f".{number}"
            even = number % 2 == 0
            scratch.write_text(_strategy(number) if even else _pools(number))
            scratch.rename(keeper.config / ("strategy.toml" if even else "pools.toml"))
        return Client(keeper.socket, timeout_s=60).call(f"reload-{'strategy' if even else 'pools'}")

    with ThreadPoolExecutor(10) as clients:
        replies = list(clients.map(one, range(50)))
    kept, config = store(base), base / "config"
    by_number = {each.number: each for each in kept.all()}
    for reply in replies:
        assert by_number[reply["generation"]].hash == reply["configHash"]
    taken = sorted(reply["generation"] for reply in replies if reply["changed"])
    assert taken == sorted(set(taken)) == list(range(2, 2 + len(taken)))
    client = keeper.client()
    assert live(base) == (max(taken), client.call("status")["configHash"])
    for verb in ("reload-strategy", "reload-pools"):
        client.call(verb)
    assert client.call("status")["configHash"] == load(config).hash


def _strategy(number: int) -> str:
    return STRATEGY_TOML.replace("20 ether", f"{number + 1} ether")


def _pools(number: int) -> str:
    return POOLS_TOML + f"max_notional_wei = {number}\n"


def test_production_comes_back_with_what_it_took_over(tmp_path):
    write_config(tmp_path)
    with running_keeper(tmp_path, mode="production") as keeper:
        write_config(tmp_path, strategy=SMALLER)
        keeper.client().call("reload-strategy")
        record = json.loads((tmp_path / "data" / "validated.json").read_text())
        assert record["running"] == load(tmp_path / "config").hash
        os.kill(keeper.engine_pid(), signal.SIGKILL)
        eventually(lambda: keeper.client().call("status")["state"] == "STOPPED", "the crash is seen")
        # Not forced: it ran with just this.
        assert keeper.client().call("start", body={"mode": "production"})["changed"] is True
