"""The real servers that tests and `make stack` run on: MariaDB, RabbitMQ, a MongoDB or its like, an OpenID provider.

Each is private: its own directory and port, no service of the machine, no root needed. It dies with the process that
started it. MONGODB_URI names a real mongod to take instead of SecantusDB.
"""

from tests.servers.mariadb import MariaDB
from tests.servers.mongo import Mongo
from tests.servers.oidc import OidcProvider
from tests.servers.programs import Missing
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.server import Server

__all__ = ["MariaDB", "Missing", "Mongo", "OidcProvider", "RabbitMQ", "Server"]
