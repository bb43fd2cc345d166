"""A process of its own that uses the shared token file: `python -m … SETTINGS MODE TOKEN`.

`use`: say "ready", wait for a line on stdin, ask for a token, print it as JSON. `refresh TOKEN`: the same, but TOKEN
was rejected. `die-before-use`: the process is killed after the new pair is stored and before it is used.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from connectors.freshbooks.sealed_file import SealedFile
from connectors.freshbooks.token_store import TokenStore
from connectors.freshbooks.transport import http_client
from streams.runtime.settings import FreshBooksSettings


async def main(settings: FreshBooksSettings, mode: str, rejected: str) -> None:
    if mode == "die-before-use":
        write = SealedFile.write

        def write_and_die(self: SealedFile, document: dict[str, object]) -> None:
            write(self, document)
            os.kill(os.getpid(), signal.SIGKILL)

        SealedFile.write = write_and_die  # type: ignore[method-assign]
    async with http_client(settings) as http:
        store = TokenStore(settings, http=http)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        token = await (store.refreshed(rejected) if rejected else store.access_token())
        sys.stdout.write(json.dumps(token) + "\n")


if __name__ == "__main__":
    asyncio.run(main(FreshBooksSettings.model_validate_json(sys.argv[1]), sys.argv[2], sys.argv[3]))
