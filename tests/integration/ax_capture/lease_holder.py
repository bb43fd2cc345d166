"""A process that takes the lease and says for each line that it is sent whether it may write; to be stopped and killed.

Arguments: bootstrap servers, registry, group.
"""

import sys
import threading

from connectors.ax.lease import Lease
from schemas.failures import Failure
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.settings import CaptureSettings, KafkaSettings, RegistrySettings


def say(what: str) -> None:
    sys.stdout.write(what + "\n")
    sys.stdout.flush()


def main(servers: str, registry: str, group: str) -> None:
    capture = CaptureSettings(group=group, lease_seconds=2)
    codec = AvroCodec(registry_client(RegistrySettings(url=registry)))
    lease = Lease(KafkaSettings(bootstrap_servers=servers), capture, codec, threading.Event())
    lease.acquire()
    say("held")
    for _ in sys.stdin:
        try:
            lease.require()
            say("may write")
        except Failure as failure:
            say(failure.code)


if __name__ == "__main__":
    main(*sys.argv[1:])
