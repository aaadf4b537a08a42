"""The command `audiolift`; also a plugin of kn: `kn audiolift`."""

from __future__ import annotations

import contextlib
import getpass
import itertools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from . import by_provider, calls
from .client import Audiolift
from .credentials import Credentials, KeySession, Session, Store, StoredSession, signed_in
from .errors import AudioliftError, SignInNeeded, Unreachable
from .listing import jobs, keys, watch
from .several import Wanted, convert_all
from .showing import line

__all__ = ["main"]

# Beside 0, and click's own 2 for a wrong command line.
FAILED, NOT_SIGNED_IN, UNREACHABLE, INTERRUPTED = 1, 3, 4, 130
LOCAL = "http://localhost:8080"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class Place:
    """Which audiolift, as the command line says; each command connects by calling it."""

    url: str | None
    api_key: str | None
    patience: float

    def __call__(self) -> Audiolift:
        """Raises: SignInNeeded."""
        session, told = self._session(), _told_once(self.patience)
        return Audiolift(session, patience=self.patience, waits=told, trace=_trace(os.environ))

    @property
    def address(self) -> str:
        """That which was named, else that which was signed in to last, else this very machine."""
        return (self.url or Store().last_url() or LOCAL).rstrip("/")

    def _session(self) -> Session:
        return KeySession(self.address, self.api_key) if self.api_key else StoredSession(Store(), self.url)


class _Commands(click.Group):
    """Turns the client's errors into words and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AudioliftError as error:
            click.echo(f"audiolift: {error}", err=True)
            ctx.exit(_code(error))
        except KeyboardInterrupt:
            click.echo("\nStopped. The same command goes on where it was.", err=True)
            # Threads may be in the middle of something: what they need later is on the disk already.
            os._exit(INTERRUPTED)


def _checked(_ctx: click.Context, _option: click.Parameter, url: str | None) -> str | None:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url or LOCAL)
        if parts.scheme in ("http", "https") and parts.hostname:
            return url
    raise click.BadParameter(f"{url!r} is no address such as https://audio.example.com.")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--url", envvar="AUDIOLIFT_URL", callback=_checked, help="Where audiolift is; else where you signed in last."
)
@click.option("--api-key", envvar="AUDIOLIFT_API_KEY", help="An API key. AUDIOLIFT_API_KEY keeps it from others' eyes.")
@click.option("--patience", default=300.0, show_default=True, help="How many seconds to try while it is away.")
@click.version_option(package_name="audiolift")
@click.pass_context
def main(ctx: click.Context, url: str | None, api_key: str | None, patience: float) -> None:
    """Turn videos into MP3s, by an audiolift somewhere.

    Exit codes: 0 all went well, 1 something did not, 2 the command line is wrong, 3 you are not signed in, 4 audiolift
    cannot be reached, 130 Ctrl-C.
    """
    ctx.obj = Place(url, api_key, patience)


@main.command()
@click.option("--email", help="Of your account.")
@click.option("--with-api-key", "way", flag_value="key", help="By an API key instead of a password.")
@click.option("--with-oidc", "way", flag_value="oidc", help="By the identity provider, with any browser.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Where the browser comes back to, at 127.0.0.1.")
@click.pass_obj
def login(place: Place, email: str | None, way: str | None, port: int) -> None:
    """Sign in, and stay signed in.

    The password or API key is asked for; without a terminal, it is the first line of standard input.
    """
    url = place.address
    if way == "oidc":
        found = _by_oidc(url, port)
    else:
        found = _by_key(url) if way else _by_password(url, email or click.prompt("Email address", err=True))
    store = Store()
    with store.lock():
        store.keep(found)
    click.echo(f"Signed in at {url}.", err=True)


@main.command()
@click.pass_obj
def logout(place: Place) -> None:
    """Sign out, and forget what signed you in."""
    store = Store()
    with store.lock():
        known = store.find(place.url)
        store.forget(known.url)
    if known.refresh_token:
        with Audiolift(KeySession(known.url, ""), patience=0) as client:
            client.do(calls.sign_out(known.refresh_token))
    click.echo(f"Signed out at {known.url}.", err=True)


@main.command()
@click.argument("videos", nargs=-1, required=True, type=FILE)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where to; else beside each video.")
@click.option("-o", "--option", "options", multiple=True, metavar="NAME=VALUE", help="How to convert: -o quality=0")
@click.option("--whole", is_flag=True, help="Send the pictures, too.")
@click.option("--overwrite", is_flag=True, help="Replace MP3s that are there.")
@click.option("--parallel", default=2, show_default=True, type=click.IntRange(1, 16), help="So many at a time.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each.")
@click.pass_obj
def convert(place: Place, /, videos: tuple[Path, ...], options: tuple[str, ...], as_json: bool, **rest: Any) -> None:
    """Turn VIDEOS into MP3s.

    Only the sound is sent where the MP3 is the same. After Ctrl-C, the same command goes on where it was.
    """
    wanted = Wanted(videos, options=_pairs(options), **rest)
    failed = False
    with place() as client:
        for result in convert_all(client, wanted, quiet=as_json):
            click.echo(msgspec.json.encode(result) if as_json else line(result))
            failed |= result.mp3 is None
    sys.exit(FAILED if failed else 0)


for command in (jobs, watch, keys):
    main.add_command(command)


def _trace(environment: Mapping[str, str]) -> dict[str, str]:
    """The trace that this command is a step of, if who started it says so.

    https://opentelemetry.io/docs/specs/otel/context/env-carriers/
    """
    return {name: environment[name.upper()] for name in ("traceparent", "tracestate") if environment.get(name.upper())}


def _by_password(url: str, email: str) -> Credentials:
    with Audiolift(KeySession(url, ""), patience=0) as client:
        return signed_in(url, client.do(calls.sign_in(email, _secret("Password: "))))


def _by_oidc(url: str, port: int) -> Credentials:
    with Audiolift(KeySession(url, ""), patience=60) as client:
        return signed_in(url, by_provider.sign_in(client, lambda said: click.echo(said, err=True), port))


def _by_key(url: str) -> Credentials:
    key = _secret("API key: ")
    with Audiolift(KeySession(url, key), patience=0) as client:
        client.do(calls.jobs(limit=1))
    return Credentials(url, api_key=key)


def _secret(asked: str) -> str:
    return getpass.getpass(asked, sys.stderr) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def _pairs(options: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for each in options:
        name, sign, value = each.partition("=")
        if not sign or name in pairs:
            wrong = "is there twice" if sign else "is not NAME=VALUE"
            raise click.BadParameter(f"{name!r} {wrong}.", param_hint="--option")
        pairs[name] = value
    return pairs


def _told_once(patience: float) -> Callable[[BaseException], None]:
    """Says that audiolift is waited for, at the first time of a command: nobody looks at nothing for minutes."""
    times = itertools.count()

    def told(why: BaseException) -> None:
        if not next(times):
            click.echo(f"audiolift: {why} Trying again for up to {patience:g} s.", err=True)

    return told


def _code(error: AudioliftError) -> int:
    if isinstance(error, SignInNeeded):
        return NOT_SIGNED_IN
    return UNREACHABLE if isinstance(error, Unreachable) else FAILED


if __name__ == "__main__":
    main(prog_name="audiolift")
