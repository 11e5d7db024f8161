"""alerts.toml: who is called, by which ways, how soon, and what for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from jitctl.config.alert_metrics import BY_NAME as METRICS_BY_NAME
from jitctl.config.models import Model
from jitctl.config.values import AsTuple, HttpUrl, Name, PathText, Seconds, refuse

LEVELS = ("P0", "P1", "P2", "P3")
"""From the most severe to the least."""

Names = Annotated[tuple[Name, ...], AsTuple, Field(max_length=16)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
NotNegative = Annotated[float, Field(ge=0, le=604_800, allow_inf_nan=False)]
Threshold = Annotated[float, Field(allow_inf_nan=False)]
Timeout = Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]
Metric = Annotated[Name, Field(json_schema_extra={"enum": list(METRICS_BY_NAME)})]
RUNBOOK_PLACE = r"^(https?://\S+|[a-z0-9_]+(-+[a-z0-9_]+)*)$"
RunbookPlace = Annotated[
    str, Field(min_length=1, max_length=500, json_schema_extra={"pattern": RUNBOOK_PLACE})
]


class ContactConfig(Model):
    """A person or a desk, and the ways to reach them."""

    phone: Text | None = None
    email: Text | None = None
    slack: Text | None = None
    pagerduty: Text | None = None

    @property
    def ways(self) -> tuple[str, ...]:
        """Return the names of the ways that are given."""
        return tuple(name for name, value in self.model_dump().items() if value is not None)


def _contact(value: Any) -> Any:
    """A text in place of a table is a phone number, or an e-mail address."""
    if isinstance(value, str):
        return {"email" if "@" in value else "phone": value}
    if not isinstance(value, dict | ContactConfig):
        raise refuse("JC103", "expected a table of ways, or a phone number or an e-mail address as text")
    return value


Contact = Annotated[ContactConfig, BeforeValidator(_contact, json_schema_input_type=ContactConfig | Text)]


class LevelConfig(Model):
    """What an alert of a level asks for: how soon somebody answers, where it goes, who is next."""

    respond_within_s: Seconds
    routes: Names = ()
    escalate: Names = ()


class LevelsConfig(Model):
    """The levels; one that no rule uses may be absent."""

    P0: LevelConfig | None = None
    P1: LevelConfig | None = None
    P2: LevelConfig | None = None
    P3: LevelConfig | None = None


def given_levels(levels: LevelsConfig) -> dict[str, LevelConfig]:
    """Return the levels that are there, the most severe first."""
    found = {name: getattr(levels, name) for name in LEVELS}
    return {name: level for name, level in found.items() if level is not None}


class RouteModel(Model):
    """What every route has."""

    timeout_s: Timeout = 10.0


class PagerDutyRoute(RouteModel):
    """Events API v2; the integration's routing key is a secret."""

    kind: Literal["pagerduty"]
    routing_key_file: PathText
    url: HttpUrl = "https://events.pagerduty.com/v2/enqueue"


class SlackRoute(RouteModel):
    """An incoming webhook; its URL is a secret."""

    kind: Literal["slack"]
    url_file: PathText


class EmailRoute(RouteModel):
    """A mail server."""

    kind: Literal["email"]
    host: Text
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    sender: Text
    to: Annotated[tuple[Text, ...], AsTuple, Field(min_length=1, max_length=32)]
    user: Text | None = None
    password_file: PathText | None = None


class HookRoute(RouteModel):
    """A URL of your own that takes JSON; where it carries a key, it stays in a file."""

    url: HttpUrl | None = None
    url_file: PathText | None = None
    token_file: PathText | None = None


class WebhookRoute(HookRoute):
    kind: Literal["webhook"]


class TicketRoute(HookRoute):
    """As a webhook, for a system that opens a ticket."""

    kind: Literal["ticket"]


Route = Annotated[
    PagerDutyRoute | SlackRoute | EmailRoute | WebhookRoute | TicketRoute, Field(discriminator="kind")
]


class ThresholdsConfig(Model):
    """A limit for each level, in the metric's unit; the most severe one that is passed counts."""

    P0: Threshold | None = None
    P1: Threshold | None = None
    P2: Threshold | None = None
    P3: Threshold | None = None

    def given(self) -> dict[str, float]:
        """Return the limits that are there, the most severe first."""
        found = {name: getattr(self, name) for name in LEVELS}
        return {name: limit for name, limit in found.items() if limit is not None}


class RuleConfig(Model):
    """When an alert begins and ends: `level` for what is or is not, `above` or `below` for a figure."""

    metric: Metric
    enabled: bool = True
    level: Literal["P0", "P1", "P2", "P3"] | None = None
    above: ThresholdsConfig | None = None
    below: ThresholdsConfig | None = None
    window_s: Annotated[float, Field(gt=0, le=604_800, allow_inf_nan=False)] = 3_600.0
    min_attempts: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    for_s: NotNegative = 0.0
    clear_after_s: NotNegative = 300.0
    runbook: RunbookPlace | None = None

    def levels(self) -> tuple[str, ...]:
        """Return the levels that the rule can raise, the most severe first."""
        named = {self.level, *(self.above.given() if self.above else ())}
        named |= {*(self.below.given() if self.below else ())}
        return tuple(level for level in LEVELS if level in named)


class AlertsConfig(Model):
    """alerts.toml."""

    runbook_url: HttpUrl | None = None
    contacts: dict[Name, Contact] = Field(default_factory=dict)
    levels: LevelsConfig = LevelsConfig()
    routes: dict[Name, Route] = Field(default_factory=dict)
    rules: dict[Name, RuleConfig] = Field(default_factory=dict)
