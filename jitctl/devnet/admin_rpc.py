"""The devnet's own controls, behind a path that only its files name: slots, reorgs, feeds, faults, anvil."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from jitctl.devnet.anvil_link import AnvilError
from jitctl.devnet.devchain import DevChain
from jitctl.devnet.faults import Fault, Views
from jitctl.devnet.json_rpc import INVALID_PARAMS, METHOD_NOT_FOUND, SERVER_ERROR, RpcCall, RpcError, param
from jitctl.devnet.reorg import ReorgMode, reorg
from jitctl.errors import JitError

MAX_SLOTS = 10_000
Handler = Callable[[dict[str, Any]], Awaitable[Any]]


class AdminRpc:
    """Answers `devnet_*` requests; each takes one object of named parameters."""

    def __init__(
        self,
        chain: DevChain,
        views: Views,
        *,
        drop_sockets: Callable[[str | None], int],
        set_slot_seconds: Callable[[float | None], None],
    ) -> None:
        self._chain = chain
        self._views = views
        self._drop_sockets = drop_sockets
        self._set_slot_seconds = set_slot_seconds
        self._handlers: dict[str, Handler] = {
            "devnet_status": self._status,
            "devnet_slot": self._slot,
            "devnet_nextBlock": self._next_block,
            "devnet_setSlotSeconds": self._slot_seconds,
            "devnet_reorg": self._reorg,
            "devnet_fault": self._fault,
            "devnet_clearFaults": self._clear_faults,
            "devnet_dropSockets": self._drop,
            "devnet_bundles": self._bundles,
            "devnet_anvil": self._anvil,
        }

    async def answer(self, call: RpcCall) -> Any:
        """Return the result; raises `RpcError`."""
        handler = self._handlers.get(call.method)
        if handler is None:
            known = ", ".join(self._handlers)
            raise RpcError(METHOD_NOT_FOUND, f"no control {call.method!r}: one of {known}")
        body = param(call.params, 0, dict, "parameters") if call.params else {}
        try:
            return await handler(body)
        except AnvilError as error:
            raise RpcError(error.error.get("code", SERVER_ERROR), error.error.get("message", "")) from error
        except JitError as error:
            raise RpcError(SERVER_ERROR, error.message) from error
        except (KeyError, TypeError, ValueError) as error:
            raise RpcError(INVALID_PARAMS, f"{call.method}: {type(error).__name__}: {error}") from error

    async def _status(self, body: dict[str, Any]) -> Any:
        return {**self._chain.describe(), "faults": self._views.describe()}

    async def _slot(self, body: dict[str, Any]) -> Any:
        count = int(body.get("count", 1))
        if not 0 < count <= MAX_SLOTS:
            raise ValueError(f"count must be 1 to {MAX_SLOTS}")
        for _ in range(count):
            record = await self._chain.slot(body.get("timestamp"))
        return {
            "number": record.number,
            "hash": record.block["hash"],
            "transactions": record.block["transactions"],
        }

    async def _next_block(self, body: dict[str, Any]) -> Any:
        return hex((await self._chain.next_block()).number)

    async def _slot_seconds(self, body: dict[str, Any]) -> Any:
        self._set_slot_seconds(None if body.get("seconds") is None else float(body["seconds"]))
        return True

    async def _reorg(self, body: dict[str, Any]) -> Any:
        blocks = await reorg(
            self._chain,
            int(body["depth"]),
            mode=ReorgMode(body.get("mode", ReorgMode.UNBUNDLE)),
            blocks=None if body.get("blocks") is None else int(body["blocks"]),
        )
        return [{"number": row.number, "hash": row.block["hash"]} for row in blocks]

    async def _fault(self, body: dict[str, Any]) -> Any:
        methods = body.get("methods")
        fault = Fault(
            str(body["fault"]), int(body.get("value", 0)), None if methods is None else frozenset(methods)
        )
        self._views.get(str(body.get("view", "node"))).lay(fault)
        return True

    async def _clear_faults(self, body: dict[str, Any]) -> Any:
        if "view" in body:
            self._views.get(str(body["view"])).clear()
        else:
            self._views.clear()
        return True

    async def _drop(self, body: dict[str, Any]) -> Any:
        return self._drop_sockets(body.get("view"))

    async def _bundles(self, body: dict[str, Any]) -> Any:
        wanted = body.get("block")
        return [
            {
                "bundleHash": entry.bundle.hash,
                "block": entry.bundle.target_block,
                "signer": entry.bundle.signer,
                "uuid": entry.bundle.uuid,
                "txs": [tx.hash for tx in entry.bundle.txs],
                "state": entry.outcome.state,
                "reason": entry.outcome.reason,
            }
            for entry in self._chain.bundles.entries()
            if wanted in (None, entry.bundle.target_block)
        ]

    async def _anvil(self, body: dict[str, Any]) -> Any:
        """Pass a request to the private anvil: set balances, code, storage; accounts are read anew."""
        return await self._chain.uninterrupted(self._passed_on(body))

    async def _passed_on(self, body: dict[str, Any]) -> Any:
        async with self._chain.gate.building():
            result = await self._chain.link.request(str(body["method"]), *body.get("params", []))
            await self._chain.refresh()
        return result
