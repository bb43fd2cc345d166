"""CustomerService.update: concurrency, partial and full updates, child records."""

import pytest
from lxml import etree

from tests.kit.aif import CUSTOMER, SHARED, XSI, criteria, cust_table, customer, keys, party

ADDRESS = (
    '<DirPartyPostalAddressView class="entity"><City>Gavle</City><CountryRegionId>SWE</CountryRegionId>'
    "<Street>Norra 1</Street></DirPartyPostalAddressView>"
)
CONTACT = (
    '<DirPartyContactInfoView class="entity"><Locator>old@contoso.example</Locator><Type>Email</Type>'
    "</DirPartyContactInfoView>"
)
DIMENSION = (
    f'<DefaultDimension><Values xmlns="{SHARED}"><Value><Name>Department</Name><Value>022</Value></Value></Values>'
    "</DefaultDimension>"
)
FIELDS = f"<CustGroup>10</CustGroup>{DIMENSION}<OurAccountNum>OWN</OurAccountNum><VATNum>SE1</VATNum>"
NIL = f'xmlns:i="{XSI}" i:nil="true"'


class Read:
    """A customer as the service shows it."""

    def __init__(self, aif, account):
        self.answer = aif.customers("read", keys(account))
        self.account = account

    def __getitem__(self, name):
        return self.answer.text(CUSTOMER, name)

    def child(self, entity, name):
        node = self.answer.root.find(f".//{{{CUSTOMER}}}{entity}")
        return None if node is None else node.findtext(f"{{{CUSTOMER}}}{name}")

    @property
    def dimension(self):
        return self.answer.text(SHARED, "Name")


@pytest.fixture
def before(aif):
    content = customer(cust_table(FIELDS, party("Before", inside=ADDRESS + CONTACT)))
    return Read(aif, aif.customers("create", content).keys[0])


def update(aif, before, fields, party_xml="", *, attributes='action="update"', root="", document_hash=None):
    """Send an update; the hash of `before` goes along unless another is given."""
    stated = before["_DocumentHash"] if document_hash is None else document_hash
    head = f"<_DocumentHash>{stated}</_DocumentHash>" if stated else ""
    content = customer(cust_table(head + fields, party_xml, attributes), root=root)
    return aif.customers("update", keys(before.account) + content)


def partial_party(before, fields="", children=""):
    """The DirParty of a partial update: base fields, children, in wire order."""
    typed = 'i:type="AxdEntity_DirParty_DirOrganization"'
    return f'<DirParty class="entity" action="update" {typed}>{fields}{children}</DirParty>'


def child(before, entity, fields, *, action="update", version=True, extra=""):
    recid = f"<RecId>{before.child(entity, 'RecId')}</RecId>"
    versions = f"<RecVersion>{before.child(entity, 'RecVersion')}</RecVersion>" if version else ""
    return f'<{entity} class="entity" action="{action}" {extra}>{fields[0]}{recid}{versions}{fields[1]}</{entity}>'


def test_an_update_answers_nothing(aif, before):
    answer = update(aif, before, "<CustGroup>80</CustGroup>")
    assert (answer.status, len(answer.root[-1][0])) == (200, 0)
    assert Read(aif, before.account)["CustGroup"] == "80"


def test_a_partial_update_keeps_what_it_omits(aif, before):
    assert update(aif, before, "<CustGroup>80</CustGroup>").status == 200
    after = Read(aif, before.account)
    assert (after["OurAccountNum"], after["VATNum"], after.dimension) == ("OWN", "SE1", "Department")
    assert (after["City"], after["Locator"]) == ("Gavle", "old@contoso.example")


def test_an_empty_element_clears_and_nil_keeps(aif, before):
    fields = f"<CustGroup>10</CustGroup><OurAccountNum {NIL}/><VATNum/>"
    assert update(aif, before, fields).status == 200
    after = Read(aif, before.account)
    assert (after["OurAccountNum"], after["VATNum"]) == ("OWN", None)


@pytest.mark.parametrize(
    ("root", "expected"), [("", "Department"), ("<ClearNilFieldsOnUpdate>true</ClearNilFieldsOnUpdate>", None)]
)
def test_nil_clears_a_surrogate_key_only_when_asked(aif, before, root, expected):
    assert update(aif, before, f"<CustGroup>10</CustGroup><DefaultDimension {NIL}/>", root=root).status == 200
    assert Read(aif, before.account).dimension == expected


@pytest.mark.parametrize("attributes", ["", 'action="replace"'])
def test_a_full_update_resets_what_it_omits(aif, before, attributes):
    answer = update(aif, before, "<CustGroup>10</CustGroup>", party("After"), attributes=attributes)
    assert answer.status == 200, answer.body
    after = Read(aif, before.account)
    assert (after["OurAccountNum"], after["VATNum"], after.dimension) == (None, None, None)
    assert (after["Name"], after["City"], after["Locator"]) == ("After", None, None)


def test_a_full_update_needs_the_name(aif, before):
    assert (
        update(aif, before, "<CustGroup>10</CustGroup>", attributes="").fault_text == "Field 'Name' must be filled in."
    )


def test_record_versions_become_random(aif, before):
    update(aif, before, "<CustGroup>80</CustGroup>")
    first = int(Read(aif, before.account)["RecVersion"])
    update(aif, Read(aif, before.account), "<CustGroup>10</CustGroup>")
    second = int(Read(aif, before.account)["RecVersion"])
    assert len({1, first, second}) == 3
    assert first not in (2, 3)


def test_a_stale_hash_is_refused(aif, before):
    assert update(aif, before, "<CustGroup>80</CustGroup>").status == 200
    answer = update(aif, before, "<CustGroup>10</CustGroup>")
    assert answer.xpp == 3
    assert answer.fault_text.startswith("The document hash does not match the hash in the XML.")


def test_a_change_of_the_party_makes_the_hash_stale(aif, before):
    aif.control("POST", f"/customers/usmf/{before.account}/rename", {"name": "Renamed"})
    assert update(aif, before, "<CustGroup>80</CustGroup>").fault_text.startswith("The document hash")


def test_record_id_and_version_serve_instead_of_the_hash(aif, before):
    fields = "<CustGroup>80</CustGroup><RecId>{}</RecId><RecVersion>{}</RecVersion>"
    right = fields.format(before["RecId"], before["RecVersion"])
    assert update(aif, before, right, document_hash="").status == 200
    stale = update(aif, before, right, document_hash="")
    assert (stale.xpp, "CustTable" in stale.infolog[0]) == (11, True)


def test_an_update_without_any_version_is_refused(aif, before):
    assert update(aif, before, "<CustGroup>80</CustGroup>", document_hash="").xpp == 3


def test_the_keys_must_match_the_documents(aif, before):
    content = customer(cust_table("<CustGroup>10</CustGroup>", "", 'action="update"'))
    assert aif.customers("update", content).fault_text == "The parameter index is not valid."
    assert (
        aif.customers("update", keys(before.account, "x") + content).fault_text == "The parameter index is not valid."
    )


def test_an_unknown_key_is_a_fault(aif, before):
    content = customer(cust_table("<CustGroup>10</CustGroup>", "", 'action="update"'))
    assert aif.customers("update", keys("nope") + content).fault_text.startswith("No valid document identified")


def test_references_are_checked(aif, before):
    assert update(aif, before, "<CustGroup>99</CustGroup>").xpp == 3
    assert Read(aif, before.account)["CustGroup"] == "10"


def test_the_name_changes_on_the_party_only(aif, before):
    answer = update(aif, before, "<CustGroup>10</CustGroup>", partial_party(before, "<Name>After</Name>"))
    assert answer.status == 200, answer.body
    assert aif.stored_customer(before.account)["name"] == "After"


def test_an_address_is_corrected_in_place(aif, before):
    view = child(before, "DirPartyPostalAddressView", ("<City>Lund</City>", ""), extra='updateMode="Correction"')
    assert update(aif, before, "<CustGroup>10</CustGroup>", partial_party(before, children=view)).status == 200
    after = Read(aif, before.account)
    assert (after["City"], after["Street"]) == ("Lund", "Norra 1")
    assert after["_RecId_LogisticsPostalAddress"] == before["_RecId_LogisticsPostalAddress"]


@pytest.mark.parametrize("mode", ["CreateNewTimePeriod", "EffectiveBased"])
def test_an_address_gets_a_new_period(aif, before, mode):
    view = child(before, "DirPartyPostalAddressView", ("<City>Lund</City>", ""), extra=f'updateMode="{mode}"')
    assert update(aif, before, "<CustGroup>10</CustGroup>", partial_party(before, children=view)).status == 200
    after = Read(aif, before.account)
    assert after["City"] == "Lund"
    assert after["_RecId_LogisticsPostalAddress"] != before["_RecId_LogisticsPostalAddress"]


def test_a_child_is_identified_by_record_id_and_version(aif, before):
    view = child(before, "DirPartyContactInfoView", ("<Locator>n@x.example</Locator>", ""), version=False)
    answer = update(aif, before, "<CustGroup>10</CustGroup>", partial_party(before, children=view))
    assert "RecId and RecVersion must be specified" in answer.fault_text


def test_children_are_changed_created_and_deleted_each_by_its_action(aif, before):
    changed = child(before, "DirPartyContactInfoView", ("<Locator>new@contoso.example</Locator>", ""))
    assert update(aif, before, "<CustGroup>10</CustGroup>", partial_party(before, children=changed)).status == 200
    middle = Read(aif, before.account)
    assert middle["Locator"] == "new@contoso.example"
    added = CONTACT.replace('class="entity"', 'class="entity" action="create"').replace("old@", "second@")
    removed = child(middle, "DirPartyContactInfoView", ("", ""), action="delete")
    answer = update(aif, middle, "<CustGroup>10</CustGroup>", partial_party(middle, children=removed + added))
    assert answer.status == 200, answer.body
    assert Read(aif, before.account)["Locator"] == "second@contoso.example"


@pytest.mark.parametrize("action", ["create", "delete"])
def test_other_actions_are_refused_on_an_update(aif, before, action):
    assert update(aif, before, "<CustGroup>10</CustGroup>", attributes=f'action="{action}"').xpp == 3


def test_one_call_is_one_transaction(aif, before):
    good = cust_table(
        f"<_DocumentHash>{before['_DocumentHash']}</_DocumentHash><CustGroup>80</CustGroup>", "", 'action="update"'
    )
    bad = cust_table("<_DocumentHash>0</_DocumentHash><CustGroup>80</CustGroup>", "", 'action="update"')
    other = aif.new_customer()
    assert aif.customers("update", keys(before.account, other) + customer(good, bad)).status == 500
    assert Read(aif, before.account)["CustGroup"] == "10"


def test_a_document_that_was_read_may_be_sent_back_as_it_is(aif, before):
    document = before.answer.root.find(f".//{{{CUSTOMER}}}Customer")
    answer = aif.customers("update", keys(before.account) + etree.tostring(document).decode())
    assert answer.status == 200, answer.body
    after = Read(aif, before.account)
    names = ("AccountNum", "CustGroup", "OurAccountNum", "Name", "Party", "City", "Street", "Locator")
    assert [after[name] for name in names] == [before[name] for name in names]
    found = aif.customers("findKeys", criteria(("AccountNum", "Equal", before.account)))
    assert found.keys == [before.account]
