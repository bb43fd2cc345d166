"""The shared types (XSD `sharedtypes`) that the documents use.

Lengths, decimals and enum names are those of reference ax-aif.md section 7 (R3). A type that the reference
does not list gets its usual AX size and is marked `unverified` in the README: it only matters to a client
that fills such a field.

Kinds: `STRINGS` maximum length in characters, `DECIMALS` maximum fraction digits (None: no facet), `ENUMS`
names in ordinal order (the position is the number stored in SQL Server), `PLAIN` XSD base of the rest.
"""

STRINGS: dict[str, int] = {
    "AccountNum": 20,
    "Addressing": 250,
    "AssetBookId": 10,
    "AssetId": 20,
    "BankAccountID": 10,
    "BuildingCompliment": 60,
    "CashDiscCode": 10,
    "City": 60,
    "CompanyChainId": 20,
    "ContactPersonId": 20,
    "CountryRegionCode": 5,
    "CountryRegionId": 10,
    "County": 30,
    "CurrencyCode": 3,
    "CustAccount": 20,
    "CustAccountExt": 20,
    "CustCreditRating": 10,
    "CustGroupId": 10,
    "CustIdentificationNumber": 50,
    "CustInvoiceAccount": 20,
    "CustName": 100,
    "CustPaymMode": 10,
    "CustPaymSpec": 10,
    "CustPaymTermId": 10,
    "CustPurchaseOrder": 20,
    "CustRef": 60,
    "DataAreaId": 4,
    "Description": 60,
    "DimensionValue": 30,
    "DirPartyLocationRoleNames": 255,
    "DirPartyName": 100,
    "DirPartyNumber": 40,
    "DistrictName": 60,
    "DlvMode": 10,
    "DlvTerm": 10,
    "DocumentNum": 20,
    "ExchangeRateTypeName": 20,
    "FederalComments": 60,
    "FirstName": 25,
    "HcmPersonnelNumberId": 25,
    "ISOcode": 2,
    "InvoiceId": 20,
    "LanguageId": 7,
    "LastName": 25,
    "LedgerJournalId": 10,
    "LedgerJournalNameId": 10,
    "LedgerJournalTransTxt": 60,
    "LocationId": 30,
    "LogText": 255,
    "LogisticsElectronicAddressLocator": 255,
    "MainAccountNum": 20,
    "MiddleName": 25,
    "Name": 60,
    "NameAlias": 20,
    "OrgId": 10,
    "OrganizationNumber": 20,
    "PaymId": 200,
    "PaymReference": 20,
    "PaymSchedId": 30,
    "PostBox": 20,
    "PostingProfile": 10,
    "State": 10,
    "Street": 250,
    "StreetNumber": 20,
    "SysGroup": 10,
    "TaxCode": 10,
    "TaxGroup": 10,
    "TaxItemGroup": 10,
    "VATNum": 20,
    "VendAccount": 20,
    "VendGroupId": 10,
    "Voucher": 20,
    "ZipCode": 10,
}

DECIMALS: dict[str, int | None] = {
    "AmountCur": None,
    "AmountCurCredit": None,
    "AmountCurDebit": None,
    "CashDiscPercent": None,
    "CurrencyExchangeRate": 12,
    "CustCreditMaxMST": 20,
    "EndDiscPercent": None,
    "ExchRate": 12,
    "InvoiceUnitPrice": 3,
    "LatLong": None,
    "LineNum": 10,
    "Qty": None,
    "TaxAmount": None,
}

ENUMS: dict[str, tuple[str, ...]] = {
    "AxdEntityAction": ("create", "update", "replace", "delete"),
    "AxdUpdateMode": ("CreateNewTimePeriod", "Correction", "EffectiveBased"),
    "CustAccountStatement": ("Always", "Quarter", "Biannually", "Yearly", "Never"),
    "CustBlocked": ("No", "Invoice", "All", "Payment", "Requisition", "Never"),
    "CustFreeInvoiceWFApprovalStatus": (
        "Draft",
        "Submitted",
        "PendingApproval",
        "Approved",
        "Rejected",
        "ChangeRequested",
        "Pending",
        "Cancellation",
        "NotSubmitted",
        "PendingCompletion",
        "Completed",
        "PendingCancellation",
    ),
    "CustInvoiceAddress": ("InvoiceAccount", "OrderAccount"),
    "ExchangeRateDisplayFactor": ("One", "Ten", "Hundred", "Thousand", "TenThousand"),
    "LedgerJournalACType": (
        "Ledger",
        "Cust",
        "Vend",
        "Project",
        "FixedAssets",
        "Bank",
        "FixedAssets_RU",
        "Employee_RU",
        "RDeferrals",
        "RCash",
    ),
    # The reference lists the first twelve; the rest is left out.
    "LedgerJournalType": (
        "Daily",
        "Periodic",
        "PurchaseLedger",
        "Approval",
        "Payment",
        "CustPayment",
        "Cost",
        "VendInvoiceRegister",
        "VendInvoicePool",
        "VendInvoicePoolNotPosted",
        "Assets",
        "AssetBudgets",
    ),
    "LedgerJournalWFApprovalStatus": (
        "None",
        "NotSubmitted",
        "Submitted",
        "PendingApproval",
        "ChangeRequested",
        "Approved",
    ),
    "LedgerTransType": (
        "None",
        "Transfer",
        "Sales",
        "Purch",
        "Invent",
        "Production",
        "Project",
        "Interest",
        "Cust",
        "ExchAdjustment",
        "SummedUp",
        "Payroll",
        "FixedAssets",
        "CollectionLetter",
        "Vend",
        "Payment",
        "Tax",
        "Bank",
    ),
    "LogisticsElectronicAddressMethodType": ("None", "Phone", "Email", "URL", "Telex", "Fax"),
    "NoYes": ("No", "Yes"),
    "PurchLedgerPosting": ("None", "Arrival", "Offset", "Vendor"),
    "SettlementType": ("None", "OpenTransact", "SelectedTransact"),
    "UseCashDisc": ("Normal", "Always", "Never"),
    "ValidTimeStateType": ("AsOf", "Range"),
    "XMLDocPurpose": ("Original", "Duplicate", "Proforma"),
    "boolean": ("false", "true"),
}

PLAIN: dict[str, str] = {
    "Days": "xs:int",
    "InvoiceDate": "xs:date",
    "RecId": "xs:long",
    "RecVersion": "xs:int",
    "TransDate": "xs:date",
}

COMPLEX: frozenset[str] = frozenset(
    {"DateTime", "DefaultAccount", "DimensionAttributeValueSet", "MultiTypeAccount", "MultiTypeDefaultAccount"}
)
"""Types with structure, named `AxdType_<name>`; section 5 of the reference shows their children."""


def xsd_type(name: str) -> str:
    """Return the name of `name` in the sharedtypes namespace, or `xs:string` for the name `string`.

    Currency fields take a union: the three-letter code or an external code of a value mapping (up to 50 characters).

    Raises: KeyError when no table of this module lists the type.
    """
    if name == "string":
        return "xs:string"
    if name == "CurrencyCode":
        return "st:AxdUnion_AxdExtType_CurrencyCode_AxdType_ExtCodeValue"
    if name in ENUMS:
        return f"st:AxdEnum_{name}"
    if name in COMPLEX:
        return f"st:AxdType_{name}"
    if name in STRINGS or name in DECIMALS or name in PLAIN:
        return f"st:AxdExtType_{name}"
    raise KeyError(name)
