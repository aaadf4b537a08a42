"""The one domain of jobs: states, names, claims, leases and transitions."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(
        __name__, "claims", "deletion", "duplicates", "fetches", "joined", "leases", "rollouts", "transitions"
    )
