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
