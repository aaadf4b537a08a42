"""How functions and their instances look to operators."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from functions.shared.views import Instant

__all__ = ["FunctionInstances", "Functions", "Instance", "InstanceState", "LastEnd"]

InstanceState = Literal["ready", "starting", "terminating", "failed"]
_WHY_UNSEEN = {"enum": ["not-set-up", "forbidden", "unreachable", None]}


class LastEnd(Struct):
    """How the process before this one ended."""

    reason: Annotated[
        str | None, Meta(description="As Kubernetes calls it: OOMKilled, Error, Completed.", examples=["OOMKilled"])
    ]
    exit_code: Annotated[int, Meta(description="128 and the signal, when it was killed.", examples=[137])]
    at: Annotated[Instant | None, Meta(description="When.")]


class Instance(Struct, kw_only=True):
    """A pod of a function; on one machine, a process."""

    name: Annotated[str, Meta(description="The pod.", examples=["convert-00003-deployment-7c9d8b6f5-x2x7k"])]
    revision: Annotated[str, Meta(description="Of which revision it is.", examples=["convert-00003"])]
    state: Annotated[
        InstanceState,
        Meta(
            description="`starting` is what is not ready yet, or not for the moment; `failed` what does not run again.",
            extra_json_schema={"enum": [*InstanceState.__args__]},
            examples=["ready"],
        ),
    ]
    why: Annotated[
        str | None,
        Meta(
            description="Why it is not ready, as Kubernetes calls it: CrashLoopBackOff, Unschedulable, Evicted.",
            examples=[None],
        ),
    ]
    since: Annotated[Instant, Meta(description="When it was made.")]
    restarts: Annotated[int, Meta(description="How often its process was started again.", examples=[1])]
    last_end: Annotated[LastEnd | None, Meta(description="Of the process before; null when there was none.")]


class FunctionInstances(Struct):
    """A function, and what runs of it."""

    name: Annotated[str, Meta(description="The function.", examples=["convert"])]
    ready: Annotated[int, Meta(description="Instances that take requests.", examples=[1])]
    starting: Annotated[int, Meta(description="That do not yet, or not for the moment.")]
    terminating: Annotated[int, Meta(description="That finish what they have at hand, and end.")]
    failed: Annotated[int, Meta(description="That do not run again.")]
    instances: Annotated[list[Instance], Meta(description="Newest first; none when it has nothing to do.")]


class Functions(Struct):
    """The functions, and what runs of each now."""

    unseen: Annotated[
        str | None,
        Meta(
            description="Why nothing is known of them: PODS_URL is `not-set-up`, Kubernetes says that it is "
            "`forbidden`, or is `unreachable`. Null when it is known.",
            extra_json_schema=_WHY_UNSEEN,
            examples=[None],
        ),
    ]
    items: Annotated[list[FunctionInstances], Meta(description="All of them, or none when nothing is known.")]
