"""An entity of a document as values, free of XML: what the operations work on."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Nil(Enum):
    """The value of an element with xsi:nil."""

    NIL = "nil"


@dataclass(frozen=True, slots=True)
class Account:
    """A multi-type account: main account with dimensions, or the number of a customer, vendor or bank account.

    `display` is the text that AX composes of account and dimensions; only an answer has it.
    """

    account: str
    dimensions: dict[str, str] = field(default_factory=dict)
    display: str = ""


@dataclass(slots=True)
class Node:
    """One entity of a document: its element name, XSD type, attributes, field values and child entities."""

    name: str
    type: str
    action: str = ""
    update_mode: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)

    def named(self, name: str) -> list["Node"]:
        """Return the child entities with this element name, in document order."""
        return [child for child in self.children if child.name == name]

    def get(self, name: str, default: Any = "") -> Any:
        """Return a field's value; `default` when it is omitted or nil."""
        value = self.values.get(name, default)
        return default if value is Nil.NIL else value
