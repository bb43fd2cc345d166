"""Sales tax by tax groups."""

from decimal import Decimal

from sandbox.ax.model.database import Transaction
from sandbox.ax.model.money import rounded


def tax_rate(transaction: Transaction, tax_group: str, tax_item_group: str) -> Decimal:
    """Return the percentage of the tax codes that both groups hold: only those are charged in AX."""
    charged = {row["TAXCODE"] for row in transaction.rows("TAXGROUPDATA", TAXGROUP=tax_group) if not row["EXEMPTTAX"]}
    codes = charged & {row["TAXCODE"] for row in transaction.rows("TAXONITEM", TAXITEMGROUP=tax_item_group)}
    rates = [row["TAXVALUE"] for code in sorted(codes) for row in transaction.rows("TAXDATA", TAXCODE=code)]
    return sum(rates, Decimal(0))


def tax_amount(amount: Decimal, rate: Decimal, currency: str, *, included: bool) -> Decimal:
    """Return the tax on `amount` at `rate` percent; `included` means the amount holds it already."""
    base = Decimal(100) + rate if included else Decimal(100)
    return rounded(amount * rate / base, currency)
