"""The contract: every event audiolift emits or accepts, and how it travels.

`catalogue` says what the events are, `wire` how they look in HTTP. Nothing else in the tree knows about CloudEvents.
"""
