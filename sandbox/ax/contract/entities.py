"""The entities of the documents: their fields in wire order, each with its type, and their child entities.

Here are the customer, the vendor and the free-text invoice; what goes through the ledger is in `ledger_entities`. Field
names and order of the Customer document are the ones seen in an R3 system (ax-aif.md section 6.1). Vendor and free-text
invoice are the profiles of section 6.10: no WSDL of them is public. A field is written `Name Type`,
`Name !Type` when it is required, and `Name =N` when the reference gives no type: a string of N characters
that this port never stores. One line holds several, split by commas.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """A simple element of an entity.

    `type` is a name of `types`; `own_length` makes a string type named for the field.
    """

    name: str
    type: str
    required: bool = False
    own_length: int | None = None


@dataclass(frozen=True, slots=True)
class Child:
    """A child entity: element name and the XSD type (without namespace) that it has."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity's XSD type. `base` names the type it extends, whose fields and children come first on the wire."""

    type: str
    fields: tuple[Field, ...]
    children: tuple[Child, ...] = ()
    base: str | None = None
    date_effective: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its root element, the top entity's element and all entity types.

    `name` is the Axd class without 'Axd'.
    """

    name: str
    top: Child
    entities: tuple[Entity, ...]
    date_effective: bool

    @property
    def namespace(self) -> str:
        """The document's own namespace (ax-aif.md section 2.3)."""
        return f"http://schemas.microsoft.com/dynamics/2008/01/documents/{self.name}"

    def entity(self, type_name: str) -> Entity:
        """Return the entity whose XSD type is `type_name`. Raises: KeyError."""
        for entity in self.entities:
            if entity.type == type_name:
                return entity
        raise KeyError(type_name)

    def all_fields(self, type_name: str) -> tuple[Field, ...]:
        """Return the fields of an entity in wire order, those of its base types first."""
        entity = self.entity(type_name)
        return (self.all_fields(entity.base) if entity.base else ()) + entity.fields

    def all_children(self, type_name: str) -> tuple[Child, ...]:
        """Return the child entities of an entity in wire order, those of its base types first."""
        entity = self.entity(type_name)
        return (self.all_children(entity.base) if entity.base else ()) + entity.children


def fields(table: str) -> tuple[Field, ...]:
    """Read a field table in the notation of the module's docstring."""
    return tuple(_field(part.split()) for part in table.replace("\n", ",").split(",") if part.strip())


def _field(words: list[str]) -> Field:
    name, spec = words
    if spec.startswith("="):
        return Field(name, f"{name}", own_length=int(spec[1:]))
    return Field(name, spec.removeprefix("!"), required=spec.startswith("!"))


DIR_PARTY = Entity(
    "AxdEntity_DirParty_DirPartyTable",
    fields("""
        InstanceRelationType RecId, KnownAs DirPartyName, LanguageId LanguageId, Name DirPartyName
        NameAlias NameAlias, PartyNumber DirPartyNumber, PrimaryAddressLocation LocationId
        PrimaryContactEmail RecId, PrimaryContactFax RecId, PrimaryContactPhone RecId, PrimaryContactTelex RecId
        PrimaryContactURL RecId, RecId RecId, RecVersion RecVersion
    """),
    children=(
        Child("DirPartyPostalAddressView", "AxdEntity_DirPartyPostalAddressView"),
        Child("DirPartyContactInfoView", "AxdEntity_DirPartyContactInfoView"),
    ),
)

DIR_ORGANIZATION_BASE = Entity(
    "AxdEntity_DirParty_DirOrganizationBase",
    fields("DunsNumberRecId RecId, PhoneticName DirPartyName"),
    base=DIR_PARTY.type,
)

DIR_ORGANIZATION = Entity(
    "AxdEntity_DirParty_DirOrganization",
    fields("ABC =20, NumberOfEmployees Days, OrgNumber OrganizationNumber"),
    children=(Child("OrganizationName", "AxdEntity_OrganizationName"),),
    base=DIR_ORGANIZATION_BASE.type,
)

DIR_PERSON = Entity(
    "AxdEntity_DirParty_DirPerson",
    fields("""
        AnniversaryDay Days, AnniversaryMonth =20, AnniversaryYear Days, BirthDay Days, BirthMonth =20
        BirthYear Days, ChildrenNames =255, CommunicatorSignIn =255, Gender =20, Hobbies =255, Initials =10
        MaritalStatus =20, NameSequence =60, PersonalSuffix =60, PersonalTitle =60, PersonSuffix =60
        PersonTitle =60, PhoneticFirst =60, PhoneticLast =60, PhoneticMiddleName =60, ProfessionalSuffix =60
        ProfessionalTitle =60
    """),
    children=(Child("PersonName", "AxdEntity_PersonName"),),
    base=DIR_PARTY.type,
)

ORGANIZATION_NAME = Entity(
    "AxdEntity_OrganizationName",
    fields("Name !DirPartyName, RecId RecId, RecVersion RecVersion, ValidFrom DateTime, ValidTo DateTime"),
    date_effective=True,
)

PERSON_NAME = Entity(
    "AxdEntity_PersonName",
    fields("""
        FirstName FirstName, LastName LastName, MiddleName MiddleName, RecId RecId, RecVersion RecVersion
        ValidFrom DateTime, ValidTo DateTime
    """),
    date_effective=True,
)

POSTAL_ADDRESS = Entity(
    "AxdEntity_DirPartyPostalAddressView",
    fields("""
        _RecId_LogisticsPostalAddress RecId, _recVersion_LogisticsPostalAddress RecVersion, Address Addressing
        Apartment_RU =10, Building_RU =10, BuildingCompliment BuildingCompliment, City City, CityRecId RecId
        CountryCurrencyCode CurrencyCode, CountryRegionId CountryRegionId, County County, District RecId
        DistrictName DistrictName, FlatId_RU RecId, HouseId_RU RecId, IsLocationOwner NoYes, ISOcode ISOcode
        IsPrimary NoYes, IsPrimaryTaxRegistration NoYes, IsPrivate NoYes, Latitude LatLong, Location RecId
        LocationName Name, Longitude LatLong, Party RecId, PartyLocation RecId, PostalAddress RecId
        PostBox PostBox, PrivateForParty RecId, RecId RecId, RecVersion RecVersion
        Roles DirPartyLocationRoleNames, State State, Street Street, StreetId_RU RecId
        StreetNumber StreetNumber, TimeZone =60, ValidFrom DateTime, ValidTo DateTime, ZipCode ZipCode
    """),
    date_effective=True,
)

CONTACT_INFO = Entity(
    "AxdEntity_DirPartyContactInfoView",
    fields("""
        CountryRegionCode CountryRegionCode, ElectronicAddress RecId, IsInstantMessage NoYes
        IsLocationOwner NoYes, IsMobilePhone NoYes, IsPrimary NoYes, IsPrivate NoYes, Location RecId
        LocationId LocationId, LocationName Name, Locator LogisticsElectronicAddressLocator
        LocatorExtension =10, Party RecId, PartyLocation RecId, PrivateForParty RecId, RecId RecId
        RecVersion RecVersion, Roles DirPartyLocationRoleNames, Type LogisticsElectronicAddressMethodType
        TypeIcon =10, ValidFrom DateTime, ValidTo DateTime
    """),
)

CUST_TABLE = Entity(
    "AxdEntity_CustTable",
    fields("""
        _DocumentHash string, AccountNum CustAccount, AccountStatement CustAccountStatement, Affiliated_RU NoYes
        AgencyLocationCode =30, AuthorityOffice_IT =20, BankAccount BankAccountID
        BankCentralBankPurposeCode =10, BankCentralBankPurposeText =140, BankCustPaymIdTable =20
        BirthCountyCode_IT =10, BirthDate_IT TransDate, BirthPlace_IT =60, Blocked CustBlocked
        CashDisc CashDiscCode, CashDiscBaseDays Days, CCMNum_BR =20, CFDIEnabled_MX NoYes
        ClearingPeriod CustPaymTermId, CNAE_BR =20, CNPJCPFNum_BR =20, CommercialRegister =60
        CommercialRegisterInsetNumber =10, CommercialRegisterSection =10, CommissionGroup SysGroup
        CompanyChainId CompanyChainId, CompanyIdSiret =14, CompanyNAFCode =10, CompanyType_MX =20
        ConsDay_JP Days, ContactPersonId ContactPersonId, CreditCardAddressVerification =20
        CreditCardAddressVerificationLevel =20, CreditCardAddressVerificationVoid NoYes, CreditCardCVC =20
        CreditMax CustCreditMaxMST, CreditRating CustCreditRating, Curp_MX =18, Currency CurrencyCode
        CustClassificationId SysGroup, CustExcludeCollectionFee NoYes, CustExcludeInterestCharges NoYes
        CustFinalUser_BR NoYes, CustGroup !CustGroupId, CustItemGroupId SysGroup, CustTradingPartnerCode =20
        CustWhtContributionType_BR =20, DAXIntegrationId =38, DefaultDimension DimensionAttributeValueSet
        DefaultDirectDebitMandate =35, DefaultInventStatusId SysGroup, DestinationCodeId SysGroup
        DlvMode DlvMode, DlvReason SysGroup, DlvTerm DlvTerm, EInvoice NoYes, EinvoiceEANNum =13
        EInvoiceRegister_IT NoYes, EndDisc SysGroup, EnterpriseCode SysGroup, EnterpriseNumber =50, EntityId =30
        EntryCertificateRequired_W NoYes, ExportSales_PL NoYes, ExpressBillOfLading NoYes
        FactoringAccount CustAccount, FederalComments FederalComments, FedNonFedIndicator =20
        FineCode_BR SysGroup, FiscalCode =30, FiscalDocType_PL =20, ForecastDMPInclude NoYes, ForeignerId_BR =20
        ForeignResident_RU NoYes, ForeignTaxRegistration_MX =40, ForeignTrade_MX NoYes, FreightZone SysGroup
        GenerateIncomingFiscalDocument_BR NoYes, GiroType =20, GiroTypeAccountStatement =20
        GiroTypeCollectionletter =20, GiroTypeFreeTextInvoice =20, GiroTypeInterestNote =20
        GiroTypeProjInvoice =20, ICMSContributor_BR NoYes, IdentificationNumber CustIdentificationNumber
        IENum_BR =20, InclTax NoYes, INSSCEI_BR =20, IntBank_LV =35, InterCompanyAllowIndirectCreation NoYes
        InterCompanyAutoCreateOrders NoYes, InterCompanyDirectDelivery NoYes, InterestCode_BR SysGroup
        InventLocation SysGroup, InventProfileId_RU SysGroup, InventProfileType_RU =20, InventSiteId SysGroup
        InvoiceAccount CustInvoiceAccount, InvoiceAddress CustInvoiceAddress, InvoicePostingType_RU SysGroup
        IRS1099CIndicator NoYes, IssueOwnEntryCertificate_W NoYes, IssuerCountry_HU =10, LineDisc SysGroup
        LineOfBusinessId SysGroup, LvPaymTransCodes =10, MainContactPersonnelNumber HcmPersonnelNumberId
        MainContactWorker HcmPersonnelNumberId, MandatoryCreditLimit NoYes, MandatoryVatDate_PL NoYes
        MarkupGroup SysGroup, MCRMergedParent CustAccount, MCRMergedRoot CustAccount, Memo string
        MultiLineDisc SysGroup, Name CustName, NIT_BR =20, numberSequenceGroup SysGroup, OneTimeCustomer NoYes
        OrderEntryDeadlineGroupId SysGroup, OrgId OrgId, OurAccountNum CustAccountExt
        PackageDepositExcempt_PL NoYes, PackMaterialFeeLicenseNum =20, Party DirPartyNumber, PartyCountry =10
        PartyState =10, PassportNo_HU =20, PaymDayId SysGroup, PaymentReference_EE =20, PaymMode CustPaymMode
        PaymSched PaymSchedId, PaymSpec CustPaymSpec, PaymTermId CustPaymTermId, PBACustGroupId SysGroup
        PdsCustRebateGroupId SysGroup, PdsFreightAccrued NoYes, PdsRebateTMAGroup SysGroup, PresenceType_BR =20
        PriceGroup SysGroup, RecId RecId, RecVersion RecVersion, RegNum_W =20
        ResidenceForeignCountryRegionId_IT =10, Rfc_MX =13, RFIDCaseTagging NoYes, RFIDItemTagging NoYes
        RFIDPalletTagging NoYes, SalesCalendarId SysGroup, SalesDistrictId SysGroup, SalesGroup SysGroup
        SalesPoolId SysGroup, SATPaymMethod_MX =10, SATPurpose_MX =10, SegmentId =20
        ServiceCodeOnDlvAddress_BR NoYes, ShipCarrierAccount =20, ShipCarrierAccountCode =20
        ShipCarrierBlindShipment NoYes, ShipCarrierFuelSurcharge NoYes, ShipCarrierId =10
        StateInscription_MX =20, StatisticsGroup SysGroup, SubsegmentId =20, Suframa_BR NoYes
        SuframaNumber_BR =20, SuframaPISCOFINS_BR NoYes, SuppItemGroupId SysGroup, SyncEntityId =38
        SyncVersion RecId, TaxBorderNumber_FI =20, TaxGroup TaxGroup, TaxGSTReliefGroupHeading_MY SysGroup
        TaxLicenseNum =20, TaxPeriodPaymentCode_PL =20, TaxWithholdCalculate_IN NoYes
        TaxWithholdCalculate_TH NoYes, TaxWithholdGroup_TH SysGroup, UnitedVATInvoice_LT NoYes
        UseCashDisc UseCashDisc, UseOriginalDocumentAsFacture_RU NoYes, UsePurchRequest NoYes, VATNum VATNum
        VendAccount VendAccount, WebSalesOrderDisplay =20
    """),
    children=(Child("DirParty", DIR_PARTY.type),),
)

CUST_INVOICE_LINE = Entity(
    "AxdEntity_CustInvoiceLine",
    fields("""
        AmountCur AmountCur, AssetBookId AssetBookId, AssetId AssetId
        DefaultDimension DimensionAttributeValueSet, Description Description, LedgerDimension !DefaultAccount
        ParentRecId RecId, Quantity Qty, RecId RecId, RecVersion RecVersion, TaxAmount TaxAmount
        TaxAutoGenerated NoYes, TaxGroup TaxGroup, TaxItemGroup TaxItemGroup, UnitPrice InvoiceUnitPrice
    """),
)

CUST_INVOICE_TABLE = Entity(
    "AxdEntity_CustInvoiceTable",
    fields("""
        _DocumentHash string, CashDiscCode CashDiscCode, CashDiscDate TransDate, CashDiscPercent CashDiscPercent
        CurrencyCode !CurrencyCode, CustGroup CustGroupId, CustomerRef CustRef
        DefaultDimension DimensionAttributeValueSet, DocumentDate TransDate, DueDate TransDate, InclTax NoYes
        InvoiceAccount CustInvoiceAccount, InvoiceDate InvoiceDate, InvoiceId InvoiceId, LanguageId LanguageId
        Log LogText, Name CustName, OneTimeCustomer NoYes, OrderAccount !CustAccount, Payment CustPaymTermId
        PaymentSched PaymSchedId, PaymMode CustPaymMode, PaymSpec CustPaymSpec, Posted NoYes
        PostingProfile PostingProfile, PurchOrderFormNum CustPurchaseOrder, RecId RecId, RecVersion RecVersion
        ReleaseDate DateTime, TaxGroup TaxGroup, TaxItemGroup TaxItemGroup, VATNum VATNum
        WorkflowApprovalStatus CustFreeInvoiceWFApprovalStatus
    """),
    children=(Child("CustInvoiceLine", CUST_INVOICE_LINE.type),),
)

PARTY_ENTITIES = (
    DIR_PARTY,
    DIR_ORGANIZATION_BASE,
    DIR_ORGANIZATION,
    DIR_PERSON,
    ORGANIZATION_NAME,
    PERSON_NAME,
    POSTAL_ADDRESS,
    CONTACT_INFO,
)
"""The subtree of a party, the same below a customer and a vendor (for the vendor an assumption, section 6.8)."""

VEND_TABLE = Entity(
    "AxdEntity_VendTable",
    fields("""
        _DocumentHash string, AccountNum VendAccount, Blocked CustBlocked, CreditMax CustCreditMaxMST
        Currency CurrencyCode, DefaultDimension DimensionAttributeValueSet, DlvMode DlvMode, DlvTerm DlvTerm
        InvoiceAccount VendAccount, Party DirPartyNumber, PaymMode CustPaymMode, PaymTermId CustPaymTermId
        RecId RecId, RecVersion RecVersion, TaxGroup TaxGroup, VATNum VATNum, VendGroup !VendGroupId
        YourAccountNum CustAccountExt
    """),
    children=(Child("DirParty", DIR_PARTY.type),),
)

CUSTOMER = Document(
    "Customer",
    top=Child("CustTable", CUST_TABLE.type),
    entities=(CUST_TABLE, *PARTY_ENTITIES),
    date_effective=True,
)

VENDOR = Document(
    "Vendor",
    top=Child("VendTable", VEND_TABLE.type),
    entities=(VEND_TABLE, *PARTY_ENTITIES),
    date_effective=True,
)

FREE_TEXT_INVOICE = Document(
    "FreeTextInvoice",
    top=Child("CustInvoiceTable", CUST_INVOICE_TABLE.type),
    entities=(CUST_INVOICE_TABLE, CUST_INVOICE_LINE),
    date_effective=False,
)
