"""Artifacts are the pinned ones or there are none; what is there needs no network."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile

import pytest

from jitctl.devnet import fixtures, toolchain
from jitctl.errors import ToolchainError


def tarball(files):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, data in files.items():
            row = tarfile.TarInfo(f"package/{name}")
            row.size, row.mode = len(data), 0o755
            archive.addfile(row, io.BytesIO(data))
    return sink.getvalue()


def integrity(data):
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """An empty tools folder, and an npm that packs whatever lies in a file and counts its calls."""
    served, calls = tmp_path / "served.tgz", tmp_path / "calls"
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(
        f'#!/bin/sh\necho call >> {calls}\nwhile [ "$1" != --pack-destination ]; do shift; done\n'
        f'cp {served} "$2"/package.tgz\n'
    )
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:{os.environ['PATH']}")
    monkeypatch.setenv(toolchain.TOOLS_DIR_VARIABLE, str(tmp_path / "tools"))

    class Tools:
        def serve(self, data):
            served.write_bytes(data)

        def calls(self):
            return len(calls.read_text().split()) if calls.exists() else 0

        def package(self, data, files):
            return toolchain.Package("thing", "@some/thing", "1.0.0", integrity(data), tuple(files))

    return Tools()


def test_a_package_is_fetched_once_and_only_its_kept_files_are_unpacked(tools):
    data = tarball({"bin/run": b"#!/bin/sh\n", "artifacts/A.json": b"{}", "junk.txt": b"x" * 1000})
    tools.serve(data)
    package = tools.package(data, ["bin/run", "artifacts/A.json"])
    said = []
    folder = toolchain._present(package, said.append)
    assert (folder / "bin/run").stat().st_mode & stat.S_IXUSR
    assert not (folder / "junk.txt").exists()
    assert said == ["fetching @some/thing@1.0.0"]
    assert toolchain._present(package, said.append) == folder
    assert tools.calls() == 1


def test_a_tarball_that_is_not_the_pinned_one_is_refused_and_leaves_nothing(tools):
    package = tools.package(tarball({"a": b"good"}), ["a"])
    tools.serve(tarball({"a": b"evil"}))
    with pytest.raises(ToolchainError, match="not the pinned tarball"):
        toolchain._present(package, None)
    assert [path.name for path in toolchain.tools_dir().iterdir()] == [".lock"]


def test_a_damaged_or_outdated_folder_is_fetched_again(tools):
    data = tarball({"a": b"good"})
    tools.serve(data)
    package = tools.package(data, ["a"])
    folder = toolchain._present(package, None)
    (folder / "a").write_bytes(b"cut")
    assert (toolchain._present(package, None) / "a").read_bytes() == b"good"
    newer = tarball({"a": b"newer"})
    tools.serve(newer)
    assert (toolchain._present(tools.package(newer, ["a"]), None) / "a").read_bytes() == b"newer"
    assert tools.calls() == 3


def test_a_package_without_the_expected_file_is_named(tools):
    data = tarball({"a": b"1"})
    tools.serve(data)
    with pytest.raises(ToolchainError, match="lacks b"):
        toolchain._present(tools.package(data, ["a", "b"]), None)


def test_a_failing_npm_is_reported_with_a_hint(tools, tmp_path):
    (tmp_path / "bin" / "npm").write_text("#!/bin/sh\necho 'npm error code E404' >&2\nexit 1\n")
    with pytest.raises(ToolchainError, match="E404") as caught:
        toolchain._present(tools.package(b"", ["a"]), None)
    assert caught.value.hint


def test_racing_processes_fetch_once(tools):
    data = tarball({"a": b"good"})
    tools.serve(data)
    script = (
        "import sys; from jitctl.devnet import toolchain as t; "
        "t._present(t.Package('thing', '@some/thing', '1.0.0', sys.argv[1], ('a',)), None)"
    )
    racers = [subprocess.Popen([sys.executable, "-c", script, integrity(data)]) for _ in range(4)]
    assert [racer.wait() for racer in racers] == [0] * 4
    assert tools.calls() == 1


def test_everything_pinned_is_present_without_network(monkeypatch):
    toolchain.ensure()
    monkeypatch.setattr(toolchain, "_fetch", lambda package: pytest.fail(f"fetched {package.name}"))
    toolchain.ensure()
    version = subprocess.run(
        [toolchain.anvil_path(), "--version"], capture_output=True, text=True, check=True
    )
    assert "1.7.1" in version.stdout
    assert toolchain.artifact("v3-core", "UniswapV3Factory")["bytecode"].startswith("0x60")
    with pytest.raises(ToolchainError, match="no artifact package"):
        toolchain.artifact("v9", "Nothing")


def test_without_a_system_npm_the_wheel_brings_one(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    command = toolchain._npm_command()
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert int(done.stdout.split(".")[0]) >= 9


def test_the_committed_contracts_are_what_their_sources_compile_to():
    assert fixtures.COMPILED.read_text() == fixtures.render(fixtures.compile_all())
