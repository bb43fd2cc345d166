"""Rules: how often and how long they fire. Limits: what a window allows."""

from __future__ import annotations

from sandbox.freshbooks.config import LimitSettings
from sandbox.freshbooks.limits import RateLimits
from sandbox.freshbooks.rules import DeliveryRule, FaultRule, RuleSet


def fired(rules: RuleSet[FaultRule], now: float, method: str = "GET", path: str = "/x") -> int:
    return len(rules.fire(now, lambda rule: rule.matches(method, path, "app")))


def test_a_count_is_used_up_by_matches_only() -> None:
    rules: RuleSet[FaultRule] = RuleSet()
    rules.add(FaultRule(action="conflict", method="PUT", count=2), now=0)
    assert [fired(rules, 0, method) for method in ("GET", "PUT", "PUT", "PUT")] == [0, 1, 1, 0]
    (shown,) = rules.describe(0)
    assert (shown["fired"], shown["left"], shown["live"]) == (2, 0, False)


def test_the_first_matches_may_be_skipped() -> None:
    rules: RuleSet[FaultRule] = RuleSet()
    rules.add(FaultRule(action="drop", after=2, count=1), now=0)
    assert [fired(rules, 0) for _ in range(4)] == [0, 0, 1, 0]


def test_a_spell_ends_by_the_clock() -> None:
    rules: RuleSet[FaultRule] = RuleSet()
    rules.add(FaultRule(action="respond", status=429, for_seconds=30), now=100)
    assert [fired(rules, now) for now in (100, 129.9, 130)] == [1, 1, 0]


def test_paths_and_apps_match_by_glob() -> None:
    rule = FaultRule(action="delay", path="/accounting/*/invoices/*", client_id="app")
    assert rule.matches("GET", "/accounting/account/A/invoices/invoices", "app")
    assert not rule.matches("GET", "/accounting/account/A/users/clients", "app")
    assert not rule.matches("GET", "/accounting/account/A/invoices/invoices", "other")


def test_delivery_rules_match_event_and_account() -> None:
    rule = DeliveryRule(action="drop", event="invoice.*", account_id="A")
    assert rule.matches("invoice.create", "A")
    assert not rule.matches("client.create", "A")
    assert not rule.matches("invoice.create", "B")


def test_rules_are_removed_one_or_all() -> None:
    rules: RuleSet[FaultRule] = RuleSet()
    first = rules.add(FaultRule(action="drop"), 0)
    rules.add(FaultRule(action="conflict"), 0)
    rules.remove(first)
    assert [rule["action"] for rule in rules.describe(0)] == ["conflict"]
    rules.remove()
    assert rules.describe(0) == []


def test_creates_share_one_smaller_bucket() -> None:
    limits = RateLimits(LimitSettings(create_limit=2, other_limit=3))

    def take(method: str, path: str, now: float = 0.0, app: str = "app") -> bool:
        return limits.take(app, method, path, now, exempt=False).exceeded

    clients, invoices = "/accounting/account/A/users/clients", "/accounting/account/A/invoices/invoices"
    assert [take("POST", clients), take("POST", invoices), take("POST", clients)] == [False, False, True]
    assert [take("GET", clients), take("PUT", clients), take("GET", clients)] == [False, False, False]
    assert take("GET", invoices)
    assert not take("POST", clients, app="other")
    assert not take("POST", clients, now=60)


def test_headers_tell_the_window_on_every_reply() -> None:
    allowance = RateLimits(LimitSettings()).take("app", "GET", "/x", 1000.5, exempt=False)
    assert dict(allowance.headers()) == {
        "X-RateLimit-Limit": "600",
        "X-RateLimit-Remaining": "599",
        "X-RateLimit-Reset": "1061",
        "Retry-After": "60",
    }


def test_an_exempt_app_is_never_over() -> None:
    limits = RateLimits(LimitSettings(other_limit=1))
    assert [limits.take("app", "GET", "/x", 0, exempt=True).exceeded for _ in range(3)] == [False] * 3
