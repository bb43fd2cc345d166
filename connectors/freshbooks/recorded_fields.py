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

_CREDIT_NOTE = """
id creditid clientid accounting_systemid sentid amount paid credit_number credit_type create_date currency_code
current_organization description display_status payment_status dispute_status last_order_status payment_type status
ext_archive organization fname lname street street2 city province code country vat_name vat_number language lines
notes terms template uuid vis_state
"""
_PAYMENT = """
id logid invoiceid clientid amount date type note gateway creditid from_credit overpaymentid orderid transactionid
transaction_uuid bulk_paymentid send_client_notification accounting_systemid updated vis_state
"""
_BILL_VENDOR = """
vendorid vendor_name primary_contact_first_name primary_contact_last_name primary_contact_email phone website street
street2 city province postal_code country currency_code language account_number is_1099 note tax_defaults
outstanding_balance overdue_balance created_at updated_at vis_state
"""
_EXPENSE = """
id expenseid staffid categoryid clientid projectid invoiceid amount date vendor notes account_name bank_name taxName1
taxPercent1 taxAmount1 taxName2 taxPercent2 taxAmount2 compounded_tax markup_percent billable status isduplicate
has_receipt include_receipt updated version vis_state accountid accounting_systemid background_jobid bill_matches
converse_projectid ext_accountid ext_invoiceid ext_systemid from_bulk_import is_cogs modern_projectid
potential_bill_payment profileid transactionid attachment
"""
_BILL = """
id vendorid bill_number issue_date due_date due_offset_days currency_code language amount tax_amount total_amount
outstanding paid overall_category overall_description status bill_payments attachment created_at updated_at vis_state
lines
"""
_BILL_PAYMENT = "id billid amount payment_type paid_date note matched_with_expense vis_state"
_ITEM = """
id itemid accounting_systemid name description qty inventory sku tax1 tax2 tax_rule_code unit_cost updated vis_state
"""
_PROJECT = """
id title description due_date client_id internal budget fixed_price rate billing_method project_type
project_manager_id active complete sample created_at updated_at logged_duration services billed_amount billed_status
retainer_id expense_markup service_estimate_type group_id group
"""
_CATEGORY = """
id categoryid category parentid is_editable is_cogs transaction_posted created_at updated_at vis_state
"""
_TAX = "id taxid accounting_systemid name amount number compound updated"

RECORDED: dict[str, frozenset[str]] = {
    "client": frozenset(_CLIENT.split()),
    "invoice": frozenset(_INVOICE.split()),
    "credit_note": frozenset(_CREDIT_NOTE.split()),
    "payment": frozenset(_PAYMENT.split()),
    "bill_vendor": frozenset(_BILL_VENDOR.split()),
    "expense": frozenset(_EXPENSE.split()),
    "bill": frozenset(_BILL.split()),
    "bill_payment": frozenset(_BILL_PAYMENT.split()),
    "item": frozenset(_ITEM.split()),
    "project": frozenset(_PROJECT.split()),
    "category": frozenset(_CATEGORY.split()),
    "tax": frozenset(_TAX.split()),
}
