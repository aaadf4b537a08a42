"""The stores of the tests of single modules."""

from tests.unit.conftest import mariadb_tables, secrets, sqlite_tables, store, tables

__all__ = ["mariadb_tables", "secrets", "sqlite_tables", "store", "tables"]
