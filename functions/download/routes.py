"""The routes of download. They are in the modules that main.py names."""

from __future__ import annotations

from functions.shared import blobs, database
from functions.shared.api import Api

__all__ = ["routes"]

routes = Api(lambda: database.ping(), lambda: blobs.store().ping())
