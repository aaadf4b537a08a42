"""Runs the overlay's Jobs (the migration of the tables) to their end, before anything is served."""

from __future__ import annotations

import asyncio

from knative.local.cluster import Job
from knative.local.errors import StartError
from knative.local.process import spawn
from knative.local.secrets import Environment

__all__ = ["run"]


async def run(job: Job, environment: Environment) -> None:
    """Raises: StartError when the Job fails, or is not done within its deadline."""
    process = await spawn(job.name, job.container.command, environment.of(job.container))
    try:
        await asyncio.wait({process.exited}, timeout=job.deadline)
    finally:
        late = not process.exited.done()
        await process.stop(0)
    if late:
        raise StartError(f"the Job {job.name} was not done after {job.deadline:g} seconds{process.last_lines}")
    if process.exited.result():
        raise StartError(f"the Job {job.name} failed: {await process.how_it_ended()}")
