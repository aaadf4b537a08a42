"""How many events a second go through the bridge and a real RabbitMQ, from POST to POST, and what one costs.

    python -m tests.benchmarks.events [--count 2000]        (a part of make benchmark)

The process that is measured is ingress and dispatcher in one, as the local runner has them; who sends the events and
takes them is another (events_peer.py). The Trigger's parallelism differs. It writes its table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.report import say
from tests.servers import Missing, RabbitMQ

__all__ = ["Rate", "main", "measured", "rows"]

PARALLELISMS, ROUNDS = (1, 10, 50), 3
ROOT = Path(__file__).parents[2]
# Where the bridge is.
sys.path.append(str(ROOT / "rabbitmq-source"))


@dataclass(frozen=True)
class Rate:
    """Events a second that were taken, and delivered; and the bridge's seconds of a processor for each."""

    taken: float
    delivered: float
    cpu: float


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="events in each round (%(default)s)")
    parser.add_argument("--page", type=Path, default=report.PAGE, help="where the table is written (%(default)s)")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name, RabbitMQ(Path(name)) as rabbitmq:
            found = {each: asyncio.run(measured(rabbitmq.url, each, given.count, ROUNDS)) for each in PARALLELISMS}
    except Missing as missing:
        return say(f"events are left out: {missing}")
    return report.write("events", f"{rows(found)}\n({report.conditions()})", given.page)


async def measured(url: str, parallelism: int, count: int, rounds: int) -> list[Rate]:
    """Send so many events, in each round, through a bridge of this parallelism over the RabbitMQ at `url`."""
    from tests.integration.bridge_world import World

    found = []
    command = [sys.executable, "-m", "tests.benchmarks.events_peer"]
    pipe = asyncio.subprocess.PIPE
    peer = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    assert peer.stdin
    assert peer.stdout
    try:
        async with World(url) as world:
            world.trigger = replace(world.trigger, parallelism=parallelism)
            world.redirect("subscriber", json.loads(await peer.stdout.readline()))
            async with world.serving() as ingress:
                # The first round, in which queues and connections are made, is left out.
                for number in range(rounds + 1):
                    before = time.process_time()
                    peer.stdin.write(json.dumps([ingress, count]).encode() + b"\n")
                    sent, done = json.loads(await peer.stdout.readline())
                    rate = Rate(count / sent, count / done, (time.process_time() - before) / count)
                    say(f"parallelism {parallelism}, {number or 'first'}: {rate.delivered:.0f} a second")
                    found += [rate] if number else []
    finally:
        peer.stdin.close()
        await peer.wait()
    return found


def rows(found: Mapping[int, Sequence[Rate]]) -> str:
    """The table."""
    heads = ("parallelism", "taken by the ingress, a second", "delivered, a second", "CPU of the bridge, ms an event")
    return report.table(
        heads,
        [
            (
                parallelism,
                report.spread([rate.taken for rate in rates], 0),
                report.spread([rate.delivered for rate in rates], 0),
                report.spread([1000 * rate.cpu for rate in rates]),
            )
            for parallelism, rates in found.items()
        ],
    )


if __name__ == "__main__":
    main()
