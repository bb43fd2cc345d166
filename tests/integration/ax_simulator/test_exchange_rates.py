"""ExchangeRateService: rates by pair, type and date."""

from tests.kit.aif import keys
from tests.kit.aif_ledger import RATES, currency_pair


def create(aif, *args, **values):
    return aif.call("ExchangeRateService", "create", currency_pair(*args, **values))


def rates(aif, source, target):
    content = keys("Default", field="ExchangeRateType").replace(
        "</KeyData>",
        f"<KeyField><Field>FromCurrencyCode</Field><Value>{source}</Value></KeyField>"
        f"<KeyField><Field>ToCurrencyCode</Field><Value>{target}</Value></KeyField></KeyData>",
    )
    answer = aif.call("ExchangeRateService", "read", content)
    assert answer.status == 200, answer.body
    return [
        tuple(row.findtext(f"{{{RATES}}}{name}") for name in ("ExchangeRate", "ValidFrom", "ValidTo"))
        for row in answer.root.iter(f"{{{RATES}}}ExchangeRate")
        if len(row)
    ]


def test_a_new_rate_ends_the_one_before(aif):
    assert create(aif, "CAD", "GBP", ("2026-01-01", "0.5")).keys == ["Default", "CAD", "GBP"]
    assert create(aif, "CAD", "GBP", ("2026-02-01", "0.6")).status == 200
    assert rates(aif, "CAD", "GBP") == [("0.5", "2026-01-01", "2026-01-31"), ("0.6", "2026-02-01", "2154-12-31")]


def test_the_display_factor_says_how_a_rate_is_shown(aif):
    create(aif, "JPY", "GBP", ("2026-01-01", "0.55"), factor="Hundred")
    assert rates(aif, "JPY", "GBP") == [("0.55", "2026-01-01", "2154-12-31")]


def test_what_is_refused(aif):
    assert "'Budget' in field 'Exchange rate type'" in create(aif, "CAD", "EUR", kind="Budget").fault_text
    assert "'XXX' in field 'Currency'" in create(aif, "XXX", "EUR").fault_text
    assert "greater than zero" in create(aif, "CAD", "EUR", ("2026-01-01", "0")).fault_text
    twice = create(aif, "CAD", "JPY", ("2026-01-01", "1"), ("2026-01-01", "2"))
    assert twice.xpp == 13
