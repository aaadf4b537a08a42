"""The part of the API that notify has."""

from __future__ import annotations

from functions.shared import database
from functions.shared.api import Api

__all__ = ["routes"]

routes = Api(lambda: database.ping())
