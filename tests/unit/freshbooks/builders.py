"""Raw FreshBooks entities in the recorded shape, as the API sends them."""

from typing import Any

Json = dict[str, Any]


def money(amount: str, code: str = "EUR") -> Json:
    return {"amount": amount, "code": code}


def raw_client(**changes: Any) -> Json:
    return {
        "id": 218192,
        "userid": 218192,
        "organization": "Blumen Käfer GmbH",
        "fname": "Ann",
        "lname": "Käfer",
        "email": "ann@kaefer.test",
        "role": "client",
        "vis_state": 0,
        "currency_code": "EUR",
        "language": "de",
        "note": None,
        "p_street": "Hauptstr. 1",
        "p_street2": "",
        "p_city": "Köln",
        "p_province": "",
        "p_code": "50667",
        "p_country": "Germany",
        "bus_phone": "",
        "home_phone": "",
        "mob_phone": "",
        "vat_number": "DE123456789",
        "updated": "2026-06-29 12:48:49",
        "signup_date": "2026-06-29 16:48:49",
        **changes,
    }


def raw_line(**changes: Any) -> Json:
    return {
        "lineid": 1,
        "type": 0,
        "name": "Consulting",
        "description": "June",
        "qty": "2",
        "unit_cost": money("50.00"),
        "amount": money("100.00"),
        "taxName1": "VAT",
        "taxAmount1": "19",
        "taxName2": "",
        "taxAmount2": "0",
        "compounded_tax": False,
        **changes,
    }


def raw_invoice(**changes: Any) -> Json:
    return {
        "id": 9001,
        "invoiceid": 9001,
        "customerid": 218192,
        "invoice_number": "0000008",
        "create_date": "2026-06-29",
        "due_date": "2026-07-29",
        "updated": "2026-06-29 12:52:44",
        "version": "2026-06-29 12:52:44.256995",
        "currency_code": "EUR",
        "language": "de",
        "amount": money("107.10"),
        "outstanding": money("107.10"),
        "paid": money("0.00"),
        "discount_value": "10",
        "discount_total": money("-10.00"),
        "status": 2,
        "v3_status": "sent",
        "payment_status": "unpaid",
        "po_number": None,
        "notes": "",
        "terms": None,
        "vis_state": 0,
        "lines": [raw_line()],
        **changes,
    }


def raw_credit_note(**changes: Any) -> Json:
    return {
        "id": 30947,
        "creditid": 30947,
        "clientid": 218192,
        "credit_number": "0000003",
        "credit_type": "goodwill",
        "currency_code": "EUR",
        "create_date": "2026-06-29",
        "language": "de",
        "notes": "Two days late",
        "terms": None,
        "amount": money("119.00"),
        "paid": money("0.00"),
        "display_status": "created",
        "payment_status": "unpaid",
        "payment_type": None,
        "vis_state": 0,
        "lines": [raw_line()],
        **changes,
    }


def raw_payment(**changes: Any) -> Json:
    return {
        "id": 701,
        "logid": 701,
        "invoiceid": 9001,
        "clientid": 218192,
        "amount": money("119.00"),
        "date": "2026-06-30",
        "type": "Bank Transfer",
        "note": "",
        "gateway": None,
        "creditid": None,
        "from_credit": False,
        "overpaymentid": None,
        "transactionid": None,
        "updated": "2026-06-30 09:00:00",
        "vis_state": 0,
        **changes,
    }


def raw_bill_vendor(**changes: Any) -> Json:
    return {
        "vendorid": 61,
        "vendor_name": "Papier Müller KG",
        "primary_contact_first_name": "Jan",
        "primary_contact_last_name": "Müller",
        "primary_contact_email": "jan@papier.test",
        "phone": "+49 221 1",
        "website": "",
        "street": "Ringstr. 7",
        "street2": "",
        "city": "Köln",
        "province": "",
        "postal_code": "50667",
        "country": "Germany",
        "currency_code": "EUR",
        "language": "de",
        "account_number": "K-4711",
        "is_1099": False,
        "note": None,
        "tax_defaults": [{"vendorid": 61, "tax_id": 4001, "name": "VAT", "amount": "19", "enabled": True}],
        "outstanding_balance": [{"amount": money("119.00")}],
        "overdue_balance": [],
        "created_at": "2026-06-29 16:52:44",
        "updated_at": "2026-06-29 16:52:44",
        "vis_state": 0,
        **changes,
    }


def raw_expense(**changes: Any) -> Json:
    return {
        "id": 3001,
        "expenseid": 3001,
        "staffid": 1,
        "categoryid": 4400,
        "clientid": 0,
        "projectid": 2976412,
        "invoiceid": None,
        "amount": money("113.00", "USD"),
        "date": "2026-06-29",
        "vendor": "Staples",
        "notes": "Paper",
        "account_name": "Visa",
        "bank_name": None,
        "taxName1": "HST",
        "taxPercent1": "13",
        "taxAmount1": money("13.00", "USD"),
        "taxName2": None,
        "taxPercent2": None,
        "taxAmount2": None,
        "compounded_tax": False,
        "markup_percent": "0",
        "billable": False,
        "status": 0,
        "isduplicate": False,
        "has_receipt": True,
        "attachment": {"id": 88, "jwt": "ey.1/2", "media_type": "application/pdf"},
        "updated": "2026-06-29 12:52:44",
        "version": "2026-06-29 12:52:44.256995",
        "vis_state": 0,
        **changes,
    }


def raw_bill_line(**changes: Any) -> Json:
    return {
        "id": 1,
        "list_index": 1,
        "categoryid": 4400,
        "category": {"category": "Paper"},
        "description": "Paper",
        "quantity": "2",
        "unit_cost": money("50.00"),
        "amount": money("100.00"),
        "total_amount": money("119.00"),
        "tax_name1": "VAT",
        "tax_percent1": "19",
        "tax_amount1": money("19.00"),
        "tax_authorityid1": None,
        "tax_name2": None,
        "tax_percent2": None,
        "tax_amount2": None,
        **changes,
    }


def raw_bill(**changes: Any) -> Json:
    return {
        "id": 501,
        "vendorid": 61,
        "bill_number": "V-100",
        "issue_date": "2026-06-01",
        "due_date": "2026-07-01",
        "due_offset_days": 30,
        "currency_code": "EUR",
        "language": "de",
        "amount": money("100.00"),
        "tax_amount": money("19.00"),
        "total_amount": money("119.00"),
        "outstanding": money("119.00"),
        "paid": money("0.00"),
        "status": "unpaid",
        "bill_payments": [],
        "attachment": None,
        "created_at": "2026-06-29 16:52:44",
        "updated_at": "2026-06-29 16:52:44",
        "vis_state": 0,
        "lines": [raw_bill_line()],
        **changes,
    }


def raw_bill_payment(**changes: Any) -> Json:
    return {
        "id": 909,
        "billid": 501,
        "amount": money("119.00"),
        "payment_type": "Check",
        "paid_date": "2026-06-30",
        "note": "",
        "matched_with_expense": False,
        "vis_state": 0,
        **changes,
    }


def raw_item(**changes: Any) -> Json:
    return {
        "id": 40001,
        "itemid": 40001,
        "name": "Hour",
        "description": "",
        "qty": "1",
        "inventory": None,
        "sku": "H-1",
        "tax1": 4001,
        "tax2": 0,
        "unit_cost": money("95.00"),
        "updated": "2026-06-29 12:52:44",
        "vis_state": 0,
        **changes,
    }


def raw_project(**changes: Any) -> Json:
    return {
        "id": 2976412,
        "title": "Relaunch",
        "description": None,
        "due_date": None,
        "client_id": 218192,
        "internal": False,
        "fixed_price": "600.00",
        "rate": None,
        "billing_method": "project_rate",
        "project_type": "fixed_price",
        "active": True,
        "complete": False,
        "created_at": "2026-06-29T16:50:50",
        "updated_at": "2026-06-29T16:50:50",
        "group": {"id": 1},
        **changes,
    }


def raw_category(**changes: Any) -> Json:
    return {
        "id": 4400,
        "categoryid": 4400,
        "category": "Paper",
        "parentid": 4399,
        "is_editable": False,
        "is_cogs": False,
        "transaction_posted": True,
        "created_at": "2026-06-29 12:52:44",
        "updated_at": "2026-06-29 12:52:44",
        "vis_state": 0,
        **changes,
    }


def raw_tax(**changes: Any) -> Json:
    return {
        "id": 4001,
        "taxid": 4001,
        "name": "VAT",
        "amount": "19",
        "number": "DE1",
        "compound": False,
        "updated": "2026-06-29 12:52:44",
        **changes,
    }


RAW = {
    "client": raw_client,
    "invoice": raw_invoice,
    "credit_note": raw_credit_note,
    "payment": raw_payment,
    "bill_vendor": raw_bill_vendor,
    "expense": raw_expense,
    "bill": raw_bill,
    "bill_payment": raw_bill_payment,
    "item": raw_item,
    "project": raw_project,
    "category": raw_category,
    "tax": raw_tax,
}
