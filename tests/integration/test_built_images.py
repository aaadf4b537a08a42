"""The images, built for real: buildah builds them from a bare Debian, and runc runs them as a cluster would.

That takes some minutes and both processors, so `make test` does it after all other tests. debootstrap makes the Debian,
so that no registry is needed; the wheels are mounted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from knative.images import tree
from tests import media
from tests.integration.image_checks import (
    FUNCTIONS,
    ROOT,
    answer,
    check_bytecode,
    check_configuration,
    check_service,
    check_sources,
    check_tools,
    service,
)
from tests.integration.image_runner import Runner
from tests.integration.image_workshop import Workshop, why_not
from tests.patience import PATIENCE
from tests.system import PASSWORD

pytestmark = pytest.mark.images

STORES = {"DATABASE_URL": "sqlite:////data/rows.db", "BLOBS_URL": "file:///data/blobs"}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Where images are built when a test asks for them; gone at the end."""
    if reason := why_not():
        pytest.skip(f"NOT CHECKED: {reason}")
    made = Workshop(tmp_path_factory.mktemp("images"))
    try:
        made.prepare()
        yield made
    finally:
        made.clear()


@pytest.fixture(scope="module")
def runner(workshop: Workshop) -> Runner:
    """What runs them."""
    return Runner(workshop)


@pytest.mark.parametrize("name", tree.images(ROOT))
def test_an_image_holds_what_it_should_and_nothing_else(workshop: Workshop, name: str) -> None:
    workshop.build(name)
    with workshop.mounted(name) as root:
        check_sources(name, root)
        check_tools(name, root)
        check_bytecode(name, root)
    check_configuration(name, workshop.configuration(name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_container_answers_and_ends_at_sigterm(runner: Runner, name: str) -> None:
    environment = service()
    with runner.running(name, environment=environment) as process:
        check_service(process, environment["PORT"])


def test_convert_finds_its_decoder_its_encoder_and_its_ffmpeg(runner: Runner) -> None:
    libraries = "import av, ctypes; ctypes.CDLL('libmp3lame.so.0'); print(av.__version__)"
    assert runner.run("convert", "python", "-c", libraries)
    ffmpeg = "import imageio_ffmpeg, subprocess; subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-version'])"
    assert b"--enable-libmp3lame" in runner.run("convert", "python", "-c", ffmpeg)


def test_a_video_becomes_an_mp3_in_containers(runner: Runner, video: Path, tmp_path: Path) -> None:
    """The migration, and then four functions that share nothing but their stores; the test is the broker."""
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o777)
    runner.run(tree.MIGRATE, environment=STORES, data=data)
    secrets = service()
    with ExitStack() as stack:
        login, upload, convert, download = (
            stack.enter_context(serving(runner, name, data, secrets))
            for name in ("login", "upload", "convert", "download")
        )
        token = sign_up(login)
        sent = upload.post("/v1/jobs", content=video.read_bytes(), headers={**token, "Content-Type": "video/mp4"})
        job = sent.raise_for_status().json()
        convert.post("/", content=uploaded(job["id"], video), headers=EVENT).raise_for_status()
        done = download.get(f"/v1/jobs/{job['id']}", headers=token).raise_for_status().json()
        assert (done["state"], done["error"]) == ("done", None)
        audio = download.get(f"/v1/jobs/{job['id']}/audio", headers=token).raise_for_status().content
    assert media.tone(audio) == pytest.approx(440, abs=1)


EVENT = {"Content-Type": "application/cloudevents+json"}


@contextmanager
def serving(runner: Runner, name: str, data: Path, secrets: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of a container that answers."""
    url = f"http://127.0.0.1:{(port := service()['PORT'])}"
    environment = {**secrets, "PORT": port, **STORES}
    with (
        runner.running(name, environment=environment, data=data) as process,
        httpx.Client(base_url=url, timeout=PATIENCE) as client,
    ):
        answer(process, f"{url}/healthz")
        yield client


def sign_up(login: httpx.Client) -> dict[str, str]:
    """A new account. Returns: the header that its requests carry."""
    account = {"email": "anna@example.com", "password": PASSWORD}
    login.post("/v1/users", json=account).raise_for_status()
    tokens = login.post("/v1/token", auth=(account["email"], PASSWORD)).raise_for_status().json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def uploaded(job_id: str, video: Path) -> str:
    """The event that the broker would bring to convert."""
    event = json.loads((ROOT / "events/examples/dev.audiolift.video.uploaded.v1.json").read_text())
    data = {"job_id": job_id, "filename": video.name, "size_bytes": video.stat().st_size}
    return json.dumps({**event, "subject": job_id, "data": data})
