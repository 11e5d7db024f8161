"""Field types of the configuration: money, addresses, URLs, paths; each refusal carries its rule id."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from jitctl.config.checksums import checksummed, has_mixed_case
from jitctl.config.shown import named_character, odd_character, shown

_UNITS = {"wei": 0, "gwei": 9, "ether": 18, "eth": 18}
_DIGITS = re.compile(r"[0-9](?:_?[0-9]){0,77}")
_AMOUNT = re.compile(r"([0-9](?:_?[0-9]){0,40})(?:\.([0-9]{1,40}))?[ \t]*(wei|gwei|ether|eth)", re.I)
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_.])?|[0-9a-f:.]*:[0-9a-f:.]*(?:%[a-z0-9]+)?")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


def refuse(rule: str, message: str, hint: str = "") -> PydanticCustomError:
    """Return the validation error of one of our own rules."""
    # Both go through a template of pydantic's: as values, so that braces in them are left alone.
    return PydanticCustomError(rule, "{message}", {"message": message, "hint": hint})


def _base_units(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    expected = "expected base units of the token: an integer, or its digits in quotes, never a float"
    raise refuse("JC111", f"{expected}; found {shown(value)}")


def _wei(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and (found := _AMOUNT.fullmatch(value.strip(" "))):
        whole, fraction, unit = found.groups()
        digits = _UNITS[unit.lower()]
        fraction = fraction or ""
        if len(fraction) > digits:
            raise refuse("JC112", f"{shown(value)} is finer than one wei")
        return int(whole) * int(10**digits) + int(fraction.ljust(digits, "0") or "0")
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    expected = 'expected wei: an integer, or text such as "0.002 ether" or "30 gwei"'
    raise refuse("JC111", f"{expected}; found {shown(value)}")


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        detail = odd_character(value) or _no_digit(value) or f"{len(value)} characters"
        raise refuse("JC113", f"expected 0x and 40 hex digits; found {shown(value)}: {detail}")
    if has_mixed_case(value) and value[2:] != checksummed(value)[2:]:
        message = f"the checksum of {value} is wrong: one of its characters is mistyped"
        raise refuse("JC117", message, f"did you mean {checksummed(value)!r}? Compare every digit")
    if int(value, 16) == 0:
        raise refuse("JC114", "the zero address is a placeholder: put the real address here")
    return value.lower()


def _no_digit(value: str) -> str:
    """Return which character of an address of the right length is no hex digit."""
    digits = "0123456789abcdefABCDEF"
    index = next((at for at, char in enumerate(value[2:], 3) if char not in digits), 0)
    return f"character {index} is no hex digit" if index and len(value) == 42 else ""


def _hash(value: str) -> str:
    if not _HASH.fullmatch(value):
        raise refuse("JC125", f"expected a hash: 0x and 64 hex digits; found {len(value)} characters")
    return value.lower()


def _url(schemes: tuple[str, ...]) -> Any:
    def check(value: str) -> str:
        expected = " or ".join(f"{scheme}://" for scheme in schemes)
        if odd := odd_character(value):
            raise refuse("JC115", f"no URL: {odd}")
        try:
            parts = urlsplit(value)
            host = parts.hostname or ""
            usable = parts.scheme in schemes and bool(_HOST.fullmatch(host)) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or " " in value:
            raise refuse("JC115", f"expected a URL that begins with {expected} and a host")
        if parts.username or parts.password:
            raise refuse("JC302", "a URL with a password is a secret: put it in a file of its own (*_file)")
        return value

    return AfterValidator(check)


def _path(value: str) -> str:
    if not value.strip():
        raise refuse("JC116", "an empty path")
    if value.startswith(("~", "$")):
        raise refuse("JC116", f"{value[0]} is not replaced by anything", "write the whole path")
    for index, char in enumerate(value, 1):
        if unicodedata.category(char).startswith(("C", "Zl", "Zp")) or (char != " " and char.isspace()):
            raise refuse(
                "JC116", f"a path with what cannot be seen: character {index} is {named_character(char)}"
            )
    return value


def _plain(value: str) -> str:
    if odd := odd_character(value):
        raise refuse("JC119", f"expected printable ASCII; {odd} in {shown(value)}")
    if value != value.strip():
        raise refuse(
            "JC119", f"begins or ends with a blank: {shown(value)}", f"did you mean {value.strip()!r}?"
        )
    return value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


AsTuple = BeforeValidator(_tuple)
"""TOML and JSON have lists; the models are frozen and hold tuples."""
_MAX_BASE_UNITS, _MAX_WEI = 2**256 - 1, 10**27
_PLAIN_DIGITS = r"^[0-9](_?[0-9])*$"
_WITH_UNIT = r"^ *[0-9](_?[0-9])*(\.[0-9]+)?[ \t]*([wW][eE][iI]|[gG][wW][eE][iI]|[eE][tT][hH]([eE][rR])?) *$"


def _amount_schema(maximum: int, *patterns: str) -> WithJsonSchema:
    texts = [{"type": "string", "pattern": pattern} for pattern in patterns]
    return WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0, "maximum": maximum}, *texts]})


def _text_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


BaseUnits = Annotated[
    int,
    BeforeValidator(_base_units),
    Field(ge=0, le=_MAX_BASE_UNITS),
    _amount_schema(_MAX_BASE_UNITS, _PLAIN_DIGITS),
]
Wei = Annotated[
    int,
    BeforeValidator(_wei),
    Field(ge=0, le=_MAX_WEI),
    _amount_schema(_MAX_WEI, _PLAIN_DIGITS, _WITH_UNIT),
]
"""Up to 10^9 ether: more than there is."""
AddressText = Annotated[str, AfterValidator(_address), _text_schema(r"^0[xX][0-9a-fA-F]{40}$")]
HashText = Annotated[str, AfterValidator(_hash), _text_schema(r"^0x[0-9a-fA-F]{64}$")]
HttpUrl = Annotated[str, _url(("http", "https")), _text_schema(r"^[hH][tT][tT][pP][sS]?://")]
WsUrl = Annotated[str, _url(("ws", "wss")), _text_schema(r"^[wW][sS][sS]?://")]
PathText = Annotated[str, AfterValidator(_path)]
Bps = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Milliseconds = Annotated[int, Field(gt=0, le=60_000)]
Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_plain)]
Symbol = Annotated[str, Field(min_length=1, max_length=32), AfterValidator(_plain)]
GroupName = Annotated[str, Field(max_length=80), AfterValidator(_plain)]
