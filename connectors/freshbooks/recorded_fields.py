"""Field names that recorded answers of FreshBooks have, per kind: what is not here is new there.

Used to count and name additions, never to refuse them. Source: reference of the API, entities.
"""

from __future__ import annotations

_CLIENT = """
id userid organization fname lname email role vis_state currency_code language note bus_phone home_phone mob_phone
fax vat_name vat_number updated signup_date username uuid p_street p_street2 p_city p_province p_code p_country
s_street s_street2 s_city s_province s_code s_country accounting_systemid allow_email_include_pdf allow_late_fees
allow_late_notifications company_industry company_size direct_link_token exceeds_client_limit has_retainer
last_activity last_login level notified num_logins number_format pref_email pref_gmail retainer_id statement_token
subdomain
"""
_INVOICE = """
id invoiceid customerid ownerid accountid invoice_number create_date due_date due_offset_days created_at updated
version currency_code language amount outstanding paid net_paid_amount discount_value discount_total discount
discount_description status v3_status display_status payment_status dispute_status autobill_status deposit_amount
deposit_percentage deposit_status date_paid po_number notes terms payment_details organization fname lname street
street2 city province code country vat_name vat_number vis_state uuid lines accounting_systemid address
attach_pdf_to_email auto_bill basecampid current_organization description estimateid ext_archive fulfillment_date
generation_date gmail last_order_status lock_status parent return_uri sender_address sentid series show_attachments
template
"""

RECORDED: dict[str, frozenset[str]] = {
    "client": frozenset(_CLIENT.split()),
    "invoice": frozenset(_INVOICE.split()),
}
