"""The real servers that tests and `make stack` run on: MariaDB, RabbitMQ, and a MongoDB or what speaks its protocol.

Each is private: its own directory and port, no service of the machine, no root needed. It dies with the process that
started it. MONGODB_URI names a real mongod to take instead of SecantusDB.
"""

from tests.servers.mariadb import MariaDB
from tests.servers.mongo import Mongo
from tests.servers.programs import Missing
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.server import Server

__all__ = ["MariaDB", "Missing", "Mongo", "RabbitMQ", "Server"]
