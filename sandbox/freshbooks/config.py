"""Configuration: who exists (apps, users, businesses) and how the simulator behaves. Read from `--config FILE.json`.

Every class refuses unknown keys, so that a misspelt switch is an error and not a quiet default. Seconds everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

ALL_SCOPES = [
    "user:profile:read",
    *(
        f"user:{name}:{verb}"
        for name in (
            "bill_payments",
            "bill_vendors",
            "billable_items",
            "bills",
            "business",
            "clients",
            "credit_notes",
            "estimates",
            "expenses",
            "invoices",
            "journal_entries",
            "online_payments",
            "other_income",
            "payments",
            "projects",
            "retainers",
            "taxes",
            "teams",
            "time_entries",
        )
        for verb in ("read", "write")
    ),
    "user:notifications:read",
    "user:reports:read",
]


class AppConfig(msgspec.Struct, forbid_unknown_fields=True):
    """An OAuth application. `scopes` are those enabled in the portal; `api_version` the default of X-API-VERSION."""

    client_id: str
    client_secret: str
    redirect_uris: list[str]
    name: str = "app"
    scopes: list[str] = msgspec.field(default_factory=lambda: list(ALL_SCOPES))
    api_version: str | None = None
    rate_limited: bool = True

    def __post_init__(self) -> None:
        """Refuse what the app portal refuses: redirect URIs that are not https or carry a query (reference §2.1)."""
        for uri in self.redirect_uris:
            if not uri.startswith("https://") or "?" in uri:
                raise ValueError(f"redirect URI {uri!r} of app {self.client_id}: must be https without query string")


class BusinessConfig(msgspec.Struct, forbid_unknown_fields=True):
    """A business; `account_id` None is a business seen through a client-only membership."""

    id: int
    name: str
    account_id: str | None
    currency_code: str = "USD"
    timezone: str = "America/New_York"


class MembershipConfig(msgspec.Struct, forbid_unknown_fields=True):
    """A user's part in a business. `id` is the membership's own id, never the business id."""

    id: int
    business_id: int
    role: str = "owner"


class UserConfig(msgspec.Struct, forbid_unknown_fields=True):
    """An identity with its memberships, in the order that users/me lists them."""

    identity_id: int
    email: str
    first_name: str
    last_name: str
    memberships: list[MembershipConfig]


class LimitSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Request limits per app and account in one window (observed values, reference §9: not published)."""

    enforce: bool = True
    window_seconds: int = 60
    create_limit: int = 250
    other_limit: int = 600


class DeliverySettings(msgspec.Struct, forbid_unknown_fields=True):
    """How webhooks are delivered. Retry and disable policies are undocumented: 0 retries, never disabled by default."""

    delay_seconds: float = 0.0
    timeout_seconds: float = 10.0
    concurrency: int = 8
    retries: int = 0
    retry_delay_seconds: float = 1.0
    disable_after_failures: int | None = None
    field_order: Literal["alternate", "docs", "captured"] = "alternate"
    ca_file: str | None = None
    log_size: int = 20_000


class Switches(msgspec.Struct, forbid_unknown_fields=True):
    """Behaviour that the reference leaves open; README.md says what each means."""

    api_write_webhooks: bool = True
    side_effect_webhooks: bool = True
    soft_delete_event: Literal["delete", "update", "both"] = "delete"
    computed_keys: Literal["refuse", "drop"] = "refuse"
    handshake: Literal["after_reply", "before_reply", "never"] = "after_reply"
    duplicate_callbacks: Literal["accept", "refuse"] = "accept"
    callback_delete_status: Literal[204, 200] = 204
    list_order: Literal["id_asc", "id_desc"] = "id_asc"
    accounts_payable: bool = True


def _default_apps() -> list[AppConfig]:
    uris = ["https://freshax.test/oauth/callback"]
    return [
        AppConfig("freshax-client-id", "freshax-client-secret", uris, name="freshax"),
        AppConfig("web-client-id", "web-client-secret", uris, name="human", rate_limited=False),
    ]


def _default_businesses() -> list[BusinessConfig]:
    return [BusinessConfig(77001, "Acme Studio", "ZyQ04o"), BusinessConfig(77002, "Print Shop", None)]


def _default_users() -> list[UserConfig]:
    return [
        UserConfig(
            88001,
            "integration@acme.test",
            "Ines",
            "Integration",
            # The client-only membership comes first: a caller that takes element 0 fails at once.
            [MembershipConfig(5550, 77002, "client"), MembershipConfig(5551, 77001, "business_manager")],
        ),
        UserConfig(88002, "owner@acme.test", "Olga", "Owner", [MembershipConfig(5552, 77001, "owner")]),
    ]


class Config(msgspec.Struct, forbid_unknown_fields=True):
    """All of it. The first app and user are the integration's; the app named "human" and the last user, a person's."""

    seed: int = 1
    clock_offset_seconds: float = 0.0
    apps: list[AppConfig] = msgspec.field(default_factory=_default_apps)
    businesses: list[BusinessConfig] = msgspec.field(default_factory=_default_businesses)
    users: list[UserConfig] = msgspec.field(default_factory=_default_users)
    limits: LimitSettings = msgspec.field(default_factory=LimitSettings)
    delivery: DeliverySettings = msgspec.field(default_factory=DeliverySettings)
    switches: Switches = msgspec.field(default_factory=Switches)


def read_config(path: Path) -> Config:
    """Return the configuration in `path` (JSON). Raises msgspec.ValidationError naming the key that is wrong."""
    return msgspec.json.decode(path.read_bytes(), type=Config)
