"""Everything the simulator knows, and the rights check: who exists, what is stored, what is switched."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sandbox.freshbooks.callbacks import Callbacks
from sandbox.freshbooks.clock import Clock, MovableClock, system_clock
from sandbox.freshbooks.config import AppConfig, BusinessConfig, Config, UserConfig
from sandbox.freshbooks.deliveries import Deliveries
from sandbox.freshbooks.entities import Change, Entities
from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.grants import Grants, Token
from sandbox.freshbooks.kind import Account
from sandbox.freshbooks.kinds import BY_SINGLE, categories
from sandbox.freshbooks.limits import RateLimits
from sandbox.freshbooks.rules import FaultRule, RuleSet

_HUMAN_SECONDS = 10 * 365 * 86_400


@dataclass(slots=True)
class Consent:
    """Who is signed in at the consent page and what he says there; set by control."""

    identity_id: int
    allow: bool = True


class World:
    """One simulated FreshBooks. `clock` is the base of the movable clock."""

    def __init__(self, config: Config, clock: Clock = system_clock) -> None:
        self.config = config
        self.switches = config.switches
        self.clock = MovableClock(clock)
        self.clock.shift(config.clock_offset_seconds)
        self.rng = random.Random(config.seed)  # noqa: S311 - reproducible ids and secrets are the point
        self.apps: dict[str, AppConfig] = {}
        self.users: dict[int, UserConfig] = {}
        self.businesses: dict[int, BusinessConfig] = {}
        self.accounts: dict[str, Account] = {}
        self.grants = Grants(self.clock.epoch, self.rng)
        self.entities = Entities(BY_SINGLE, self.switches)
        self.deliveries = Deliveries(self.clock, config.delivery)
        self.callbacks = Callbacks(self.clock, self.rng, self.switches, self.deliveries)
        self.limits = RateLimits(config.limits)
        self.faults: RuleSet[FaultRule] = RuleSet()
        self.requests: Counter[tuple[str, str, int, str]] = Counter()
        self.seed(config.apps, config.businesses, config.users)
        self.consent = Consent(config.users[0].identity_id)

    def seed(self, apps: list[AppConfig], businesses: list[BusinessConfig], users: list[UserConfig]) -> None:
        """Add apps, businesses and users. Raises ValueError for a membership in an unknown business."""
        self.apps.update({app.client_id: app for app in apps})
        for business in businesses:
            self.businesses[business.id] = business
            if business.account_id is not None and business.account_id not in self.accounts:
                account = self.accounts[business.account_id] = Account(business.account_id, business)
                categories.seed(account, self.clock())
        for user in users:
            for membership in user.memberships:
                if membership.business_id not in self.businesses:
                    raise ValueError(f"user {user.email}: membership in unknown business {membership.business_id}")
            self.users[user.identity_id] = user

    def ready(self) -> dict[str, Any]:
        """Return the ready line without the addresses: the first account, the integration's and the human's secrets."""
        business = next(business for business in self.businesses.values() if business.account_id is not None)
        app, user = self.config.apps[0], self.config.users[0]
        human_app = next((app for app in self.config.apps if app.name == "human"), self.config.apps[-1])
        human = self.grants.issue(human_app, self.config.users[-1], human_app.scopes, lifetime=_HUMAN_SECONDS)
        return {
            "account_id": business.account_id,
            "business_id": business.id,
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "redirect_uri": app.redirect_uris[0],
            "refresh_token": self.grants.issue(app, user, app.scopes)["refresh_token"],
            "human_token": human["access_token"],
        }

    def account_for(self, token: Token, account_id: str) -> Account:
        """Return the account if the token's user works in its business. Raises Refused 403/1003 (code inferred)."""
        account = self.accounts.get(account_id)
        works_there = account is not None and any(
            membership.business_id == account.business.id and membership.role != "client"
            for membership in token.user.memberships
        )
        if account is None or not works_there:
            reason = "The server could not verify that you are authorized to access this account."
            raise Refused(403, 1003, reason, error="forbidden")
        return account

    def account_of_business(self, token: Token, business_id: str) -> Account:
        """Return the account of a business that the token's user works in. Raises Refused 403/1003 (inferred)."""
        business = self.businesses.get(int(business_id)) if business_id.isdigit() else None
        return self.account_for(token, (business.account_id if business is not None else None) or "")

    def publish(self, account: Account, token: Token, changes: list[Change]) -> None:
        """Send webhooks for `changes`, as far as the switches allow."""
        for change in changes:
            allowed = self.switches.side_effect_webhooks if change.side_effect else self.switches.api_write_webhooks
            if allowed:
                self.callbacks.announce(account, token.user.identity_id, change.noun, change.verb, change.id)

    def business_uuid(self, business: BusinessConfig) -> str:
        """Return the business's uuid, the same in every run."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"business/{business.id}"))


def require_scope(token: Token, scope: str) -> None:
    """Raise Refused 403 unless `token` has `scope`; the message lists both provided and required (reference §2.3).

    Neither the wording nor the errno was captured; that write does not imply read is the strict reading.
    """
    if scope not in token.scopes:
        provided = " ".join(sorted(token.scopes))
        message = f"Insufficient scope. Scopes provided: {provided}. Scopes required: {scope}."
        raise Refused(403, 1003, message, error="insufficient_scope")
