"""Field types of the configuration: money, addresses, URLs, paths; each refusal carries its rule id."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from jitctl.domain.values import ZERO_ADDRESS
from jitctl.domain.values import address as parse_address

_UNITS = {"wei": 0, "gwei": 9, "ether": 18, "eth": 18}
_AMOUNT = re.compile(r"([0-9][0-9_]*)(?:\.([0-9]+))?\s*(wei|gwei|ether|eth)", re.I)
_SECRET = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")


def refuse(rule: str, message: str) -> PydanticCustomError:
    """Return the validation error of one of our own rules."""
    return PydanticCustomError(rule, message)


def _base_units(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.replace("_", "").isdecimal():
        return int(value)
    raise refuse("JC111", "expected an integer of base units (a number, or digits in quotes), never a float")


def _wei(value: Any) -> int:
    if isinstance(value, str) and (found := _AMOUNT.fullmatch(value.strip())):
        whole, fraction, unit = found.groups()
        digits = _UNITS[unit.lower()]
        fraction = fraction or ""
        if len(fraction) > digits:
            raise refuse("JC112", f"{value!r} is finer than one wei")
        return int(whole) * int(10**digits) + int(fraction.ljust(digits, "0") or "0")
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.replace("_", "").isdecimal():
        return int(value)
    raise refuse("JC111", 'expected wei: an integer, or text such as "0.002 ether" or "30 gwei"')


def _address(value: str) -> str:
    try:
        return parse_address(value)
    except ValueError as error:
        raise refuse("JC113", str(error)) from None


def _real_address(value: str) -> str:
    found = _address(value)
    if found == ZERO_ADDRESS:
        raise refuse("JC114", "the zero address is a placeholder: put the real address here")
    return found


def _url(schemes: tuple[str, ...]) -> Any:
    def check(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.hostname:
            expected = " or ".join(f"{scheme}://" for scheme in schemes)
            raise refuse("JC115", f"expected a URL that begins with {expected}")
        if parts.username or parts.password:
            raise refuse("JC302", "a URL with a password is a secret: put it in a file of its own (*_file)")
        return value

    return AfterValidator(check)


def _path(value: str) -> str:
    if not value.strip():
        raise refuse("JC116", "an empty path")
    if _SECRET.fullmatch(value):
        raise refuse("JC301", "this looks like a private key; name the file that holds it instead")
    return value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


AsTuple = BeforeValidator(_tuple)
"""TOML and JSON have lists; the models are frozen and hold tuples."""
_DIGITS = r"^[0-9][0-9_]*$"
_WITH_UNIT = r"^\s*[0-9][0-9_]*(\.[0-9]+)?\s*([wW][eE][iI]|[gG][wW][eE][iI]|[eE][tT][hH]([eE][rR])?)\s*$"


def _amount_schema(*patterns: str) -> WithJsonSchema:
    texts = [{"type": "string", "pattern": pattern} for pattern in patterns]
    return WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, *texts]})


def _text_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


BaseUnits = Annotated[int, BeforeValidator(_base_units), Field(ge=0), _amount_schema(_DIGITS)]
Wei = Annotated[int, BeforeValidator(_wei), Field(ge=0), _amount_schema(_DIGITS, _WITH_UNIT)]
AddressText = Annotated[str, AfterValidator(_real_address), _text_schema(r"^0[xX][0-9a-fA-F]{40}$")]
HttpUrl = Annotated[str, _url(("http", "https")), _text_schema(r"^\s*[hH][tT][tT][pP][sS]?://")]
WsUrl = Annotated[str, _url(("ws", "wss")), _text_schema(r"^\s*[wW][sS][sS]?://")]
PathText = Annotated[str, AfterValidator(_path)]
Bps = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Milliseconds = Annotated[int, Field(gt=0, le=60_000)]
Name = Annotated[str, Field(min_length=1, max_length=80)]
