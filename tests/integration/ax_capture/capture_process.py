"""A capture of a bench's tables as a process of its own, to be killed. Its argument is a file of settings."""

import asyncio
import json
import sys
import threading
from pathlib import Path

from connectors.ax.projector import ProjectorTopics
from connectors.ax.services import CaptureService
from connectors.ax.source_tables import SourceTable
from streams.runtime.health import HealthServer
from streams.runtime.settings import Settings
from tests.integration.ax_capture.shared_subject import SharedSubjectTopic


async def run(given: dict) -> None:
    """Capture until killed."""
    settings = Settings.model_validate(given["settings"])
    feeds = [SharedSubjectTopic(name, "", "compact", schema, "", partitions=1) for name, schema in given["feeds"]]
    tables = [SourceTable("dbo", name, topic) for name, topic in zip(given["tables"], feeds, strict=True)]
    table = SharedSubjectTopic(given["table"], "", "compact", "customer", "", partitions=2)
    changes = SharedSubjectTopic(given["changes"], "", "delete", "customer", "", partitions=2)
    where = ProjectorTopics(feeds[0], feeds[1], table, changes, given["group"])
    failed = asyncio.get_running_loop().create_future()

    def fail(error: BaseException) -> None:
        failed.get_loop().call_soon_threadsafe(failed.set_exception, error)

    with HealthServer(settings.observe) as health:
        CaptureService(settings, threading.Event(), fail, health, tables, where).start()
        await failed


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
