"""A sink in a process of its own, for a test that kills it: applies one command and prints the outcome.

Arguments: settings of both ends, the command and its cross-reference, as JSON on standard input.
"""

import asyncio
import json
import sys

import msgspec

from connectors.ax.aif_client import AifClient
from connectors.ax.lookup import DocumentLookup
from connectors.ax.sink import AxSink
from schemas.records import AxCommand, CrossReference
from streams.runtime.settings import AifSettings, AxSqlSettings


def _tell(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main() -> None:
    given = json.load(sys.stdin)
    aif = AifSettings(**given["aif"])
    sink = AxSink(AifClient(aif), DocumentLookup(AxSqlSettings(**given["sql"])), aif)
    prior = msgspec.convert(given["prior"], CrossReference) if given["prior"] else None
    _tell("ready")
    confirmation = await sink.apply(msgspec.convert(given["command"], AxCommand), prior)
    _tell(confirmation.outcome.value)
    await sink.close()


if __name__ == "__main__":
    asyncio.run(main())
