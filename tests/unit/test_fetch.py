"""functions.upload.fetch: what is fetched, what is refused, and what is put off, against real HTTP servers."""

from __future__ import annotations

import ipaddress
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from functions.shared.addresses import check_url, in_ascii, is_allowed
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.upload import fetch as fetching
from functions.upload.fetch import Remote, TimeUp, fetch
from tests.patience import PATIENCE
from tests.servers.listening import Listening, Quiet
from tests.unit.origin import Pieces

VIDEO = bytes(range(256)) * 4096


class Handler(Quiet):
    """/video is one, /chunked too; /status/N answers N; /to/URL redirects; /short ends early; /endless never does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind, _, rest = self.path.removeprefix("/").partition("/")
        with suppress(ConnectionError):
            getattr(self, f"_{kind}")(rest)

    def _video(self, _rest: str) -> None:
        self._head(200, [("Content-Length", str(len(VIDEO)))])
        self.wfile.write(VIDEO)

    def _chunked(self, _rest: str) -> None:
        self._head(200, [("Transfer-Encoding", "chunked")])
        for at in range(0, len(VIDEO), 65536):
            self.wfile.write(b"10000\r\n" + VIDEO[at : at + 65536] + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _status(self, status: str) -> None:
        self._head(int(status), [("Content-Length", "0")])

    def _to(self, url: str) -> None:
        self._head(302, [("Location", url), ("Content-Length", "0")])

    def _raw(self, _rest: str) -> None:
        self._to("/video/Vorträge/ü 1.mp4".encode().decode("latin-1"))

    def _loop(self, _rest: str) -> None:
        self._head(302, [("Location", "/loop"), ("Content-Length", "0")])

    def _short(self, _rest: str) -> None:
        self._head(200, [("Content-Length", "1000000")])
        self.wfile.write(b"not a million bytes")
        self.close_connection = True

    def _headers(self, _rest: str) -> None:
        seen = json.dumps([(name.lower(), value) for name, value in self.headers.items()]).encode()
        self._head(200, [("Content-Length", str(len(seen)))])
        self.wfile.write(seen)

    def _head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def serving(address: str) -> Iterator[str]:
    with Listening(Handler, address) as server:
        yield server.url


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serving("127.0.0.1") as url:
        yield url


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FETCH_ALLOWED_NETWORKS", "127.0.0.1/32")


def in_seconds(seconds: float) -> float:
    return time.monotonic() + seconds


def fetched(url: str, seconds: float = PATIENCE) -> bytes:
    sink = Pieces()
    fetch(url, Remote(), sink, in_seconds(seconds))
    return bytes(sink.content)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PAUSES", (0.0, 0.0))


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("path", ["/video", "/chunked", "/to//video", "/to/video"])
def test_a_video_is_fetched_whole(base: str, path: str) -> None:
    assert fetched(base + path.replace("/to/video", f"/to/{base}/video")) == VIDEO


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("path", ["/video/Vorträge/ü 1.mp4?für=dich", "/raw"])
def test_an_address_with_other_letters_is_fetched_as_a_browser_would(base: str, path: str) -> None:
    assert fetched(base + path) == VIDEO


@pytest.mark.usefixtures("allowed")
def test_the_request_says_nothing_of_us_but_what_it_wants(base: str) -> None:
    names = {name for name, _ in json.loads(fetched(base + "/headers"))}
    assert names == {"host", "accept", "accept-encoding"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0.0.0.0", "[::ffff:127.0.0.1]", "[::1]"]
)
def test_nothing_is_fetched_from_this_machine(base: str, host: str) -> None:
    with pytest.raises((Failure, Unavailable)) as caught:
        fetched(base.replace("127.0.0.1", host) + "/video")
    if isinstance(caught.value, Failure):
        assert caught.value.code == "refused-url"


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
def test_what_can_be_no_name_is_not_tried_again(host: str) -> None:
    with pytest.raises(Failure) as caught:
        fetched(f"http://{host}/video")
    assert caught.value.code == "unreachable"


@pytest.mark.usefixtures("allowed")
def test_a_redirect_to_an_address_that_is_not_allowed_is_not_followed(base: str) -> None:
    with serving("127.0.0.2") as elsewhere, pytest.raises(Failure) as caught:
        fetched(f"{base}/to/{elsewhere}/video")
    assert caught.value.code == "refused-url"


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "http://user:pw@127.0.0.1/"]
)
def test_a_redirect_to_anything_but_http_is_not_followed(base: str, target: str) -> None:
    with pytest.raises(Failure) as caught:
        fetched(f"{base}/to/{target}")
    assert caught.value.code == "refused-url"


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:db8::1",
    ],
)
def test_no_address_that_is_not_public_is_allowed(address: str) -> None:
    assert not is_allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/x",
        "//example.com/x",
        "http://",
        "http:///x",
        "https://user@example.com/",
        "x",
        "http://example.com/a b",
        "http://example.com/\r\nHost: x",
        "http://[::1",
        "http://exämple.com/",
        "http://example.com:0/",
        "http://[fe80::1%25eth0]/",
        "http://127.0.0.1%2f.example.com/",
    ],
)
def test_a_url_that_is_not_plain_http_is_refused(url: str) -> None:
    with pytest.raises(Failure) as caught:
        check_url(url)
    assert caught.value.code == "refused-url"


@pytest.mark.parametrize(
    ("url", "ascii_url"),
    [
        ("https://bücher.example/größe?ü", "https://xn--bcher-kva.example/gr%C3%B6%C3%9Fe?%C3%BC"),
        ("HTTPS://BÜCHER.example:8443", "HTTPS://xn--bcher-kva.example:8443"),
        ("http://faß。example/", "http://xn--fa-hia.example/"),
        ("http://例え.テスト/", "http://xn--r8jz45g.xn--zckzah/"),
        # Addresses in other letters are what they look like, and meet the rules for these.
        ("http://１２７.0.0.1/", "http://127.0.0.1/"),
        ("http://localhos\u24e3/", "http://localhost/"),
        # What is in ASCII stays as it is, be it sound or not.
        ("http://my_host.example/ü", "http://my_host.example/%C3%BC"),
        ("http://xn--zz.example/", "http://xn--zz.example/"),
        ("http://[::1]/ü", "http://[::1]/%C3%BC"),
        ("/ü/http://bücher.example", "/%C3%BC/http://b%C3%BCcher.example"),
        ("https://bücher.example\\@example.com/", "https://b%C3%BCcher.example\\@example.com/"),
    ],
)
def test_a_host_in_other_letters_is_the_name_that_stands_for_it(url: str, ascii_url: str) -> None:
    assert in_ascii(url) == ascii_url
    assert in_ascii(url.encode()) == ascii_url
    assert in_ascii(ascii_url) == ascii_url


@pytest.mark.parametrize(
    "host",
    [
        "☃.example",
        "a..ü",
        "ü" * 70 + ".example",
        "\u202eü.example",
        "xn--zz.ü",
        "bü_cher.example",
        "bücher.example\\",
        "exa\u2100mple.com",
        "\ud800.example",
        # A Cyrillic letter among Latin ones, and a Greek one.
        "\u0430pple.com",
        "g\u03bfogle.com",
    ],
)
def test_a_host_whose_name_is_none_or_deceives_is_said_to_be_that(host: str) -> None:
    with pytest.raises(Failure) as caught:
        in_ascii(f"https://{host}/talk.mp4")
    assert (caught.value.code, caught.value.hint) == ("refused-url", "no-name")


def test_a_location_that_is_no_utf_8_is_taken_as_it_comes() -> None:
    assert in_ascii(b"http://example.com/gr\xfc\xdf") == "http://example.com/gr%FC%DF"
    with pytest.raises(Failure):
        in_ascii(b"http://b\xfccher.example/")


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("status", [204, 400, 401, 403, 404, 410, 451])
def test_a_final_status_fails_for_good(base: str, status: int) -> None:
    with pytest.raises(Failure) as caught:
        fetched(f"{base}/status/{status}")
    assert caught.value.code == "unreachable"


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("path", ["/status/429", "/status/500", "/status/503", "/short"])
def test_what_may_pass_is_put_off(base: str, path: str) -> None:
    with pytest.raises(Unavailable):
        fetched(base + path)


@pytest.mark.usefixtures("allowed")
def test_a_server_that_is_not_there_is_put_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable):
        fetched(f"http://127.0.0.1:{port}/")


@pytest.mark.usefixtures("allowed")
def test_redirects_in_a_circle_end(base: str) -> None:
    with pytest.raises(Failure) as caught:
        fetched(base + "/loop")
    assert caught.value.code == "unreachable"


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("path", ["/video", "/chunked"])
def test_a_video_over_the_limit_is_refused_and_not_read_whole(
    base: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_UPLOAD_BYTES", "100000")
    sink = Pieces()
    with pytest.raises(Failure) as caught:
        fetch(base + path, Remote(), sink, in_seconds(PATIENCE))
    assert caught.value.code == "too-large-video"
    assert len(sink.content) <= 100000


@pytest.mark.usefixtures("allowed")
def test_the_deadline_ends_a_fetch(base: str) -> None:
    with pytest.raises(TimeUp):
        fetched(base + "/video", seconds=0)
