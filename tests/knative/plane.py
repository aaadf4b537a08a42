"""All of audiolift behind Knative's own programs, made from the project's manifests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pymysql
import yaml
from bridge import topology

from events import wire
from knative.local import kustomize, manifests, pingsource
from knative.local.cluster import API_HOST, Container, Sink
from knative.local.process import LOCALHOST
from knative.local.secrets import Environment, load_secrets
from tests.knative.eventing import Eventing
from tests.knative.network import Network, Pod
from tests.knative.outside import Mailbox, ToFront
from tests.knative.pods import FunctionPod
from tests.patience import PATIENCE
from tests.proxy import Relay
from tests.servers import MariaDB, Mongo, RabbitMQ
from tests.system import NO_LIMITS, ROOT, User

__all__ = ["CMS", "QUEUE_OWNER", "Plane"]

# Whose jobs another system submits, by its source; and whose those are that come as plain messages of the queue.
CMS, QUEUE_OWNER = "cms@example.com", "queue@example.com"
_QUEUE = "/apis/v1/namespaces/audiolift/rabbitmqsources/video-submitted#audiolift.video-submitted"
# Nobody is there: no test of this is about what operators see.
_API = "https://kubernetes.default.svc"


class Plane:
    """The overlay `kind`, one pod for each function. Use it as a context manager; it ends with all its processes.

    `pods` has the pod of each function that gets the requests.
    """

    def __init__(self, directory: Path, binaries: Path, mariadb: MariaDB, rabbitmq: RabbitMQ, mongo: Mongo) -> None:
        self.directory, self.binaries = directory, binaries
        self.mariadb, self.rabbitmq, self._mongo = mariadb, rabbitmq, mongo
        self._users: list[User] = []

    def __enter__(self) -> Plane:
        with ExitStack() as stack:
            self._begin(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def front(self) -> str:
        """The address of the ingress."""
        return self._front.address

    def user(self, email: str | None = None) -> User:
        """Somebody who registers and signs in by the public name."""
        self._users.append(User(self.url, ToFront(self.front), email))
        return self._users[-1]

    def begin(self, name: str, **variables: str) -> FunctionPod:
        """Start one more pod of a function. It gets no requests yet."""
        (manifest,) = (each for each in self.objects if each["kind"] == "Service" and self._is(each, name))
        pod = FunctionPod(self.network, self.binaries, manifest, {**self._variables(name), **variables})
        self._stack.callback(pod.delete)
        return pod

    def replace(self, name: str, **variables: str) -> FunctionPod | None:
        """Have a new pod take all that comes, once it is ready. Returns: the old one, which still has what it had."""
        new, old = self.begin(name, **variables), self.pods.get(name)
        new.wait()
        self.pods[name] = new
        self._route()
        return old

    def tick(self) -> None:
        """What each PingSource sends each minute, now."""
        for source in self.cluster.ping_sources:
            headers, body = wire.write(pingsource.envelope(source, self.cluster.namespace))
            self.http.post(self.cluster.url(source.sink), headers=dict(headers), content=body)

    def send(self, headers: Mapping[str, str], body: bytes = b"{}") -> httpx.Response:
        """An event of another system, to the Broker's ingress."""
        return httpx.post(self._ingress_url, headers=dict(headers), content=body, timeout=PATIENCE)

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """What a query finds in the database."""
        port, name = self.mariadb.port, self._database
        dicts = pymysql.cursors.DictCursor
        connected = pymysql.connect(host=LOCALHOST, port=port, user="root", database=name, cursorclass=dicts)
        with connected as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return list(cursor.fetchall())

    def _begin(self, stack: ExitStack) -> None:
        self.network = stack.enter_context(Network(self.directory))
        self._reach(stack)
        self.objects = kustomize.render(self._overlay())
        self.cluster = manifests.read(self.objects)
        self.url = self.cluster.config_maps["audiolift-config"]["PUBLIC_URL"]
        own = {"RATE_LIMITS": NO_LIMITS}
        self._environment = Environment(self.cluster, self._secrets(), self._addresses(), own)
        self._prepare()
        self._open(stack)
        stack.callback(self._leave)
        self.eventing = Eventing(self.network, self.binaries, self.cluster, self.rabbitmq_url)
        stack.callback(self.eventing.delete)
        (broker,) = self.eventing.ingresses
        self.ingress = self.eventing.ingresses[broker]
        self._ingress_url = f"http://{self.ingress.address}/"
        self.exchange = topology.Names(self.cluster).exchange(broker)
        self._stack = stack
        for name in self.cluster.services:
            self.replace(name)

    def _reach(self, stack: ExitStack) -> None:
        """The ways from the pods to the stores, to RabbitMQ and to the mail server."""
        here = self.network.machine
        mongo = urlsplit(self._mongo.url).port or 27017
        ports = (self.mariadb.port, mongo, self.rabbitmq.port)
        self.rows_relay, files, queues = (stack.enter_context(Relay(port, here)) for port in ports)
        self._database = self.directory.name.replace("-", "_")
        self.mariadb.create(self._database)
        self._stores = {
            "database-url": f"mysql+pymysql://root@{here}:{self.rows_relay.port}/{self._database}",
            # What a replica set says of itself are addresses that no pod can reach.
            "blobs-url": f"mongodb://{here}:{files.port}/{self._database}?directConnection=true",
            "limits-url": f"mongodb://{here}:{files.port}/{self._database}?directConnection=true",
        }
        self.rabbitmq.ctl("add_vhost", self._database)
        self.rabbitmq.ctl("set_permissions", "--vhost", self._database, "guest", ".*", ".*", ".*")
        self.rabbitmq_url = f"amqp://guest:guest@{here}:{queues.port}/{self._database}"
        self.mailbox = stack.enter_context(Mailbox(here))

    def _overlay(self) -> Path:
        """`kind`, with what tests cannot wait for made shorter, and with systems that may submit."""
        trusted = {"/example/cms": CMS, _QUEUE: QUEUE_OWNER}
        network = self.network.machine.rpartition(".")[0] + ".0/24"
        settings = {"TRUSTED_SOURCES": json.dumps(trusted), "FETCH_ALLOWED_NETWORKS": network, "RESEND_SECONDS": "20"}
        patch = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "audiolift-config"}, "data": settings}
        target = {"kind": "ConfigMap", "name": "audiolift-config"}
        overlay = {
            "resources": [str(ROOT / "knative" / "overlays" / "kind")],
            "patches": [{"target": target, "patch": yaml.safe_dump(patch)}],
        }
        (self.directory / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
        return self.directory

    def _secrets(self) -> dict[str, Mapping[str, str]]:
        mail = {"smtp-url": self.mailbox.url}
        return {
            **load_secrets(self.directory, self.cluster),
            "audiolift-stores": self._stores,
            "audiolift-mail": mail,
        }

    def _addresses(self) -> dict[str, str]:
        """Each name in the cluster is its own address here."""
        sinks = [Sink("Service", name) for name in self.cluster.services]
        sinks += [Sink("Broker", name) for name in self.cluster.brokers]
        return {self.cluster.host(sink): self.cluster.url(sink) for sink in sinks} | {API_HOST: _API}

    def _prepare(self) -> None:
        """The tables, and what the operators declare in RabbitMQ."""
        for job in self.cluster.jobs:
            self._run(job.container.command[1:], self._of(job.container))
        path = os.pathsep.join([str(ROOT), str(ROOT / "rabbitmq-source")])
        environment = {"PYTHONPATH": path, "RABBITMQ_URL": self.rabbitmq_url}
        self._run(["-m", "bridge", "declare", "--overlay", str(self.directory)], environment)

    def _open(self, stack: ExitStack) -> None:
        pod = Pod(self.network, "front")
        stack.callback(pod.delete)
        self._front, self._routes, self.pods = pod, self.directory / "routes.json", dict[str, FunctionPod]()
        self._route()
        command = [sys.executable, "-m", "tests.knative.front", str(self._routes)]
        pod.program("front", command, {"PYTHONPATH": str(ROOT)})
        for name in self.cluster.services:
            self.network.name(self._host(name), pod.address)
        self.http = stack.enter_context(httpx.Client(transport=ToFront(pod.address), timeout=PATIENCE))

    def _route(self) -> None:
        table = {self._host(name): "" for name in self.cluster.services}
        table |= {self._host(name): pod.address for name, pod in self.pods.items()}
        table[urlsplit(self.url).hostname or ""] = table[self._host("gateway")]
        draft = self._routes.with_suffix(".new")
        draft.write_text(json.dumps(table))
        draft.replace(self._routes)

    def _variables(self, name: str) -> dict[str, str]:
        own = self.directory / f"tmp-{name}-{len(list(self.directory.iterdir()))}"
        own.mkdir()
        of_knative = {"K_SERVICE": name, "K_CONFIGURATION": name, "K_REVISION": f"{name}-00001"}
        if name in self.cluster.sinks:
            of_knative["K_SINK"] = self.cluster.url(self.cluster.sinks[name])
        return self._of(self.cluster.services[name].container, **of_knative, TMPDIR=str(own), HOME=str(own))

    def _of(self, container: Container, **more: str) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), **self._environment.of(container, **more)}

    def _run(self, arguments: tuple[str, ...] | list[str], environment: Mapping[str, str]) -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, env=dict(environment), check=True)

    def _host(self, name: str) -> str:
        return self.cluster.url(Sink("Service", name)).removeprefix("http://")

    def _is(self, manifest: Mapping[str, Any], name: str) -> bool:
        of_serving: bool = manifest["apiVersion"].startswith("serving.knative.dev/")
        return of_serving and manifest["metadata"]["name"] == name

    def _leave(self) -> None:
        for user in self._users:
            user.http.close()
