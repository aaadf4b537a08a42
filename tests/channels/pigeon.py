"""A second channel: pigeons to lofts, which are files in the directory PIGEONS. What `LOFT` gets is a line in it.

Is there a file `LOFT.away`, the loft is away; `LOFT.full`, it refuses for good; `LOFT.broken`, the channel has a bug.
"""

from __future__ import annotations

import os
from pathlib import Path

from events.catalogue import AudioCreated, ConversionFailed
from functions.notify.channels import Channel, Endpoint, Notice, Refused
from functions.shared.problems import Unavailable
from functions.shared.watch import Watch


class Pigeon(Channel):
    name = "pigeon"
    kinds = frozenset({AudioCreated.TYPE, ConversionFailed.TYPE})

    def endpoints_of(self, notice: Notice) -> list[Endpoint]:
        return [Endpoint(path.name, str(path)) for path in sorted(lofts().iterdir()) if not path.suffix]

    def claim_seconds(self) -> int:
        return 30

    def send(self, notice: Notice, endpoint: Endpoint, watch: Watch) -> None:
        loft = Path(endpoint.address)
        if loft.with_suffix(".away").exists():
            raise Unavailable(f"{loft.name} is away")
        if loft.with_suffix(".full").exists():
            raise Refused(f"{loft.name} is full")
        if loft.with_suffix(".broken").exists():
            raise ZeroDivisionError
        with loft.open("a") as file:
            file.write(f"{notice.identity} {notice.job.filename}\n")


def lofts() -> Path:
    return Path(os.environ["PIGEONS"])


CHANNEL = Pigeon()
