"""Goes through every state that the model can be in, breadth first: `python -m tests.model.explorer`.

In each, the invariants must hold; and from each, all must come to rest by steps that are no faults: nothing is lost,
and nothing goes round for ever.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.model.invariants import at_rest, broken
from tests.model.processes import steps
from tests.model.state import Budget, State, start
from tests.model.steps import Step

__all__ = ["Explored", "Successors", "Violation", "explore"]

Successors = Callable[[State], Iterable[Step]]


class Violation(AssertionError):
    """A state that must not be; the message has the shortest way to it."""


@dataclass
class Explored:
    """How many states and steps there are, and from how many states all comes to rest without faults."""

    states: int = 0
    steps: int = 0
    resting: int = 0


class _Search:
    """The states by their numbers, in the order in which they were found, and how each was."""

    def __init__(self, first: State) -> None:
        self.numbers = {first: 0}
        self.states, self.before, self.names = [first], [0], [""]
        # By number: the states from which it is reached by a step that is no fault.
        self.calm: list[list[int]] = [[]]

    def add(self, source: int, step: Step) -> None:
        number = self.numbers.setdefault(step.state, len(self.states))
        if number == len(self.states):
            self.states.append(step.state)
            self.before.append(source)
            self.names.append(step.name)
            self.calm.append([])
        if not step.fault:
            self.calm[number].append(source)

    def way_to(self, number: int) -> str:
        """The state, and the shortest way to it from the first one."""
        way, at = [], number
        while at:
            way.append(self.names[at])
            at = self.before[at]
        return f"after {way[::-1]}, in {self.states[number]}"


def explore(first: State, successors: Successors = steps) -> Explored:
    """Every state from the first on. Raises: Violation."""
    search, found = _Search(first), Explored()
    # It grows meanwhile.
    for number, state in enumerate(search.states):
        if wrong := broken(state):
            raise Violation(f"{wrong}, {search.way_to(number)}")
        for step in successors(state):
            found.steps += 1
            search.add(number, step)
    found.states, found.resting = len(search.states), _check_rest(search)
    return found


def _check_rest(search: _Search) -> int:
    """From each state one is reached in which all is at rest. Returns: how many of these there are."""
    resting = [number for number, state in enumerate(search.states) if not at_rest(state)]
    reached, waiting = set(resting), deque(resting)
    while waiting:
        new = [number for number in search.calm[waiting.popleft()] if number not in reached]
        reached.update(new)
        waiting.extend(new)
    lost = next((number for number in range(len(search.states)) if number not in reached), None)
    if lost is not None:
        raise Violation(f"it never comes to rest ({at_rest(search.states[lost])}), {search.way_to(lost)}")
    return len(resting)


def main() -> None:
    """The command line: what docs/reliability.md has the figures of."""
    for name, jobs, workers, budget in CASES:
        begun = time.process_time()
        found = explore(start(jobs, workers, budget))
        print(
            f"{name}: {found.states:,} states, {found.steps:,} steps, {time.process_time() - begun:.0f} s", flush=True
        )


CASES = (
    ("one job, two faults", 1, 2, Budget(faults=2)),
    ("two jobs, no fault", 2, 2, Budget()),
    ("one job, two faults, one delivery that leaves the rest to the next", 1, 2, Budget(faults=2, postpones=1)),
    ("one job, one fault, cancelled and retried at any time", 1, 2, Budget(faults=1, cancels=1, retries=1)),
)


if __name__ == "__main__":
    main()
