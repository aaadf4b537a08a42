"""A Kubernetes API that keeps what it is given, and finds all of it ready: as much as kn needs. It checks nothing."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from knative.local.kustomize import Manifest

__all__ = ["Api", "serving"]

_READY = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}


class Api(ThreadingHTTPServer):
    """`objects` by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, Manifest] = {}

    def put(self, path: str, manifest: Manifest) -> None:
        """Keep an object."""
        self.objects[path] = manifest

    def kubeconfig(self, directory: Path) -> Path:
        """A file by which kn finds it."""
        cluster = {"name": "api", "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}
        context = {"name": "api", "context": {"cluster": "api", "user": "api"}}
        users = [{"name": "api", "user": {}}]
        config = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context], "users": users}
        file = directory / "kubeconfig"
        file.write_text(json.dumps({**config, "current-context": "api"}))
        return file


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if "watch" in query:
            (name,) = (each.removeprefix("metadata.name=") for each in query["fieldSelector"])
            self._answer(200, {"type": "MODIFIED", "object": _ready(self.server.objects[f"{url.path}/{name}"])})
        elif url.path in self.server.objects:
            # In the version that is asked for, as a cluster converts it.
            version = "/".join(url.path.split("/")[2:4])
            self._answer(200, {**_ready(self.server.objects[url.path]), "apiVersion": version})
        else:
            self._answer(404, {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404})

    def do_POST(self) -> None:
        manifest, path = self._body(), urlsplit(self.path).path
        manifest["metadata"]["namespace"] = path.split("/")[-2]
        self.server.put(f"{path}/{manifest['metadata']['name']}", manifest)
        self._answer(201, _ready(manifest))

    def do_PUT(self) -> None:
        self.server.put(urlsplit(self.path).path, self._body())
        self._answer(200, _ready(self.server.objects[urlsplit(self.path).path]))

    def log_message(self, *_: Any) -> None:
        pass

    def _body(self) -> Manifest:
        manifest: Manifest = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return manifest

    def _answer(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving() -> Iterator[Api]:
    """An API on a port of its own."""
    with Api() as api:
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield api
        api.shutdown()
        thread.join()


def _ready(manifest: Manifest) -> Manifest:
    made = copy.deepcopy(manifest)
    made["metadata"] |= {"generation": 1, "resourceVersion": "1", "uid": "1"}
    return {**made, "status": {**_READY, "url": "http://ready.example.com"}}
