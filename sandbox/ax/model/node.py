"""An entity of a document as values, free of XML: what the operations work on."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Nil(Enum):
    """The value of an element with xsi:nil."""

    NIL = "nil"


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
