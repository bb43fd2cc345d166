"""JSON → records that others point to: item, project, category, tax."""

from __future__ import annotations

from datetime import datetime

from connectors.freshbooks.clocks import to_millis
from connectors.freshbooks.fields import MONEY, PERCENT, QUANTITY, Fields
from schemas.records import Category, Item, Project, Tax

_ACTIVE, _ARCHIVED = 0, 2


def parse_item(fields: Fields, account_id: str, fetched_at: datetime) -> Item:
    """An item, in the currency that its price names."""
    currency = fields.currency_of("unit_cost") if fields.part("unit_cost") is not None else None
    return Item(
        account_id=account_id,
        item_id=fields.identifier("id", "itemid"),
        name=fields.required_text("name"),
        description=fields.text("description"),
        sku=fields.text("sku"),
        quantity=fields.optional_decimal("qty", QUANTITY),
        inventory=fields.optional_decimal("inventory", QUANTITY),
        unit_cost=fields.money("unit_cost", currency, MONEY) if currency is not None else None,
        currency_code=currency,
        tax1_id=fields.optional_identifier("tax1"),
        tax2_id=fields.optional_identifier("tax2"),
        vis_state=fields.vis_state(),
        updated_at=fields.eastern("updated", not_after=fetched_at),
        version=fields.required_text("updated"),
        content_hash="",
        fetched_at=to_millis(fetched_at),
    )


def parse_project(fields: Fields, account_id: str, fetched_at: datetime) -> Project:
    """A project; its times are UTC. One that is not active counts as archived: it has no vis_state."""
    active = fields.boolean("active", missing=True)
    return Project(
        account_id=account_id,
        project_id=fields.identifier("id"),
        title=fields.required_text("title"),
        description=fields.text("description"),
        client_id=fields.optional_identifier("client_id"),
        internal=fields.boolean("internal", missing=False),
        active=active,
        complete=fields.boolean("complete", missing=False),
        project_type=fields.text("project_type"),
        billing_method=fields.text("billing_method"),
        fixed_price=fields.optional_decimal("fixed_price", MONEY),
        rate=fields.optional_decimal("rate", MONEY),
        due_date=fields.optional_day("due_date"),
        vis_state=_ACTIVE if active else _ARCHIVED,
        updated_at=fields.utc("updated_at"),
        version=fields.required_text("updated_at"),
        content_hash="",
        fetched_at=to_millis(fetched_at),
    )


def parse_category(fields: Fields, account_id: str, fetched_at: datetime) -> Category:
    """An expense category. That an expense was posted to it is no change of it."""
    return Category(
        account_id=account_id,
        category_id=fields.identifier("id", "categoryid"),
        name=fields.required_text("category"),
        parent_id=fields.optional_identifier("parentid"),
        is_cogs=fields.boolean("is_cogs", missing=False),
        is_editable=fields.boolean("is_editable", missing=False),
        vis_state=fields.vis_state(),
        updated_at=fields.eastern("updated_at", not_after=fetched_at),
        version=fields.required_text("updated_at"),
        content_hash="",
        fetched_at=to_millis(fetched_at),
    )


def parse_tax(fields: Fields, account_id: str, fetched_at: datetime) -> Tax:
    """A tax. It has no vis_state: a deleted one is gone."""
    return Tax(
        account_id=account_id,
        tax_id=fields.identifier("id", "taxid"),
        name=fields.required_text("name"),
        percent=fields.decimal("amount", PERCENT),
        number=fields.text("number"),
        compound=fields.boolean("compound", missing=False),
        vis_state=_ACTIVE,
        updated_at=fields.eastern("updated", not_after=fetched_at),
        version=fields.required_text("updated"),
        content_hash="",
        fetched_at=to_millis(fetched_at),
    )
