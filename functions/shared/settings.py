"""Every setting of every function: one tuple. A setting is read from the environment when it is used."""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from events.errors import SpeakingError

__all__ = ["SETTINGS", "Setting", "SettingError", "check", "mapping", "networks", "number", "required", "text"]

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingError(SpeakingError, ValueError):
    """A setting is missing or cannot be used."""


@dataclass(frozen=True)
class Setting:
    """One setting: its environment variable, its default (an int makes it a whole number), and what it is for.

    `schemes` are what its value may begin with, when it is a URL; `choices` all that it may be; `min_bytes` how long it
    must be at least, unless it is empty; `is_mapping` says that it is a JSON object of texts, `are_networks` that it is
    networks, space between.
    """

    name: str
    default: str | int
    help: str
    schemes: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    min_bytes: int = 0
    is_mapping: bool = False
    are_networks: bool = False


SETTINGS = (
    Setting("HOST", "0.0.0.0", "Address that a function listens on."),
    Setting("PORT", 8080, "Port that a function listens on; Knative sets it."),
    Setting(
        "CONCURRENCY", 8, "Requests that one function process handles at a time; as the Service's containerConcurrency."
    ),
    Setting(
        "TIMEOUT_SECONDS", 600, "How long a request in flight may go on after SIGTERM; as the Service's timeoutSeconds."
    ),
    Setting(
        "LOG_LEVEL",
        "INFO",
        "DEBUG, INFO, WARNING or ERROR: the least that is logged.",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    ),
    Setting(
        "LOG_FORMAT",
        "text",
        "text, or json: an object a line, with the ids of request, job, event and trace.",
        choices=("text", "json"),
    ),
    Setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "OTLP/HTTP address of a collector, such as http://collector:4318, that traces and metrics are sent to; without "
        "it, none are made.",
        ("http", "https"),
    ),
    Setting(
        "PUBLIC_URL", "http://localhost:8080", "Address of the gateway as people see it; links in mails begin with it."
    ),
    Setting("K_REVISION", "", "The revision that runs, for traces and metrics; Knative sets it."),
    Setting("K_SINK", "", "Where events go: the broker's ingress. Knative's SinkBinding sets it."),
    Setting(
        "DATABASE_URL",
        "sqlite:///data/audiolift.db",
        "Rows, as an SQLAlchemy URL: mysql+pymysql://… or sqlite:///…",
        ("mysql+pymysql", "sqlite"),
    ),
    Setting(
        "BLOBS_URL",
        "file:data/blobs",
        "Files: file:… for a directory, or mongodb://… for GridFS (TLS and authentication by the URI's options).",
        ("file", "mongodb", "mongodb+srv"),
    ),
    Setting(
        "SMTP_URL",
        "file:data/mail",
        "Mail: smtp://[user:password@]host[:port], smtps://…, or file:… for a directory of .eml files.",
        ("smtp", "smtps", "file"),
    ),
    Setting(
        "VERIFY_EMAIL",
        "auto",
        "Whether an address must be confirmed by mail before its account works: on, off, or auto, which is on where "
        "mail is really sent.",
        choices=("auto", "on", "off"),
    ),
    Setting("MAIL_FROM", "audiolift <audiolift@localhost>", "Sender of the mails."),
    Setting(
        "NOTICE_SERVICES",
        "{}",
        "JSON object: name → URL of apprise (https://appriseit.com) of a chat, an SMS service and the like, by which "
        "owners are told who choose that name.",
        is_mapping=True,
    ),
    Setting(
        "SMS_SERVICE",
        "",
        "URL of apprise of an SMS service, with {number} where the recipient's goes, by which owners are told who have "
        "confirmed a number; without it there are no SMS.",
    ),
    Setting(
        "SIGNING_KEY",
        "",
        "Private JWK (EC P-256, with kid) that login signs tokens with; made by `python -m functions.login.keys`.",
    ),
    Setting("JWKS", "", "Public JWK set that access tokens are checked with."),
    Setting("LINK_SECRET", "", "Secret behind the links in mails: 32 bytes or more.", min_bytes=32),
    Setting("TOKEN_ISSUER", "audiolift", "Issuer and audience of the access tokens."),
    Setting("ACCESS_TOKEN_SECONDS", 900, "How long an access token is good for."),
    Setting("REFRESH_TOKEN_SECONDS", 2_592_000, "How long a refresh token is good for."),
    Setting(
        "OIDC_ISSUER",
        "",
        "Issuer identifier of an OpenID provider that people may sign in by, as its discovery document has it.",
    ),
    Setting("OIDC_CLIENT_ID", "", "What that provider knows us by."),
    Setting("OIDC_CLIENT_SECRET", "", "Our secret there; a provider may do without, thanks to PKCE."),
    Setting("MAX_UPLOAD_BYTES", 5_368_709_120, "Largest video that is accepted, in bytes."),
    Setting(
        "LIMITS_URL",
        "memory://",
        "Where the gateway counts requests: memory:// in each process, or mongodb://… for all of them together.",
        ("memory", "mongodb", "mongodb+srv"),
    ),
    Setting(
        "RATE_LIMITS",
        "{}",
        'JSON object: limit of the table in docs/api.md → "REQUESTS/SECONDS" instead, or "0" for none.',
        is_mapping=True,
    ),
    Setting(
        "TRUSTED_PROXIES",
        "127.0.0.0/8 ::1/128",
        "Networks of the proxies that are believed about where a request came from: CIDR, space between.",
        are_networks=True,
    ),
    Setting("MAX_QUEUED_JOBS", 100_000, "Jobs of all accounts that may wait before uploads get 503; 0 for no limit."),
    Setting("MAX_USER_JOBS", 10_000, "Jobs that one account may have at a time; 0 for no limit."),
    Setting("MAX_USER_BYTES", 1_099_511_627_776, "Bytes that one account may have stored; 0 for no limit."),
    Setting("MAX_USER_MINUTES", 0, "Minutes of MP3s that one account may have made a day (UTC); 0 for no limit."),
    Setting("MAX_DURATION_SECONDS", 180_000, "Longest audio that is converted, in seconds."),
    Setting("MAX_AUDIO_BYTES", 4_294_967_296, "Largest MP3 that a conversion may write, in bytes."),
    Setting("CONVERT_TIMEOUT_SECONDS", 570, "Wall clock that one conversion gets; below the Service's timeoutSeconds."),
    Setting(
        "SANDBOX",
        "on",
        "off converts even where the kernel cannot confine what parses videos: only for videos that you trust.",
        choices=("on", "off"),
    ),
    Setting("LEASE_SECONDS", 20, "How long a conversion that gives no sign of life keeps its job."),
    Setting("MAX_ATTEMPTS", 5, "How often a job is tried when its conversions die, before it is failed."),
    Setting(
        "TRUSTED_SOURCES",
        "{}",
        "JSON object: CloudEvents source of another system → email of whose jobs it submits.",
        is_mapping=True,
    ),
    Setting(
        "FETCH_TIMEOUT_SECONDS",
        540,
        "After how long another delivery goes on with the fetch of a video by URL; below the Service's timeoutSeconds.",
    ),
    Setting(
        "FETCH_ALLOWED_NETWORKS",
        "",
        "Networks that videos may be fetched from, and webhooks be at, though not public: CIDR, space between.",
        are_networks=True,
    ),
    Setting(
        "RESEND_SECONDS",
        600,
        "After how long without effect an event that was sent is sent again; grows with every try.",
    ),
    Setting("RETENTION_SECONDS", 604_800, "How long files are kept after a job has ended, unless its owner says."),
    Setting(
        "MAX_RETENTION_SECONDS",
        2_592_000,
        "How long owners may have files kept by the option keep_days; at least RETENTION_SECONDS.",
    ),
    Setting("HISTORY_SECONDS", 7_776_000, "How long a job is listed after its files have been deleted."),
    Setting("AUDIT_SECONDS", 31_536_000, "How long it is kept what operators did, and what was deleted."),
    Setting(
        "UPLOAD_GRACE_SECONDS",
        86_400,
        "How long files of no job are kept, and an upload after its last byte, and a video by URL is tried.",
    ),
    Setting(
        "PODS_URL",
        "",
        "Where sweep has the pods of the functions listed, for operators: …/api/v1/namespaces/NAMESPACE/pods of the "
        "Kubernetes API; without it, they see no instances.",
        ("https", "http"),
    ),
    Setting("CORS_ORIGINS", "", "Origins whose pages may use the API, such as https://app.example.com, space between."),
    Setting("LOGIN_URL", "http://localhost:8081", "The login function, for the gateway."),
    Setting("UPLOAD_URL", "http://localhost:8082", "The upload function, for the gateway."),
    Setting("DOWNLOAD_URL", "http://localhost:8083", "The download function, for the gateway."),
    Setting("NOTIFY_URL", "http://localhost:8084", "The notify function, for the gateway."),
    Setting("SWEEP_URL", "http://localhost:8086", "The sweep function, for the gateway."),
    Setting("CONVERT_URL", "http://localhost:8085", "The convert function, for the gateway, which only wakes it."),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}


def text(name: str) -> str:
    """The value of a setting, or its default when the variable is unset or empty."""
    return os.environ.get(name) or str(_BY_NAME[name].default)


def number(name: str) -> int:
    """The value of a whole-number setting. Raises: SettingError when it is not a whole number of 0 or more."""
    value = text(name)
    if not value.isascii() or not value.isdigit():
        raise SettingError(f"{name} must be a whole number, not {value!r}: {_BY_NAME[name].help}")
    return int(value)


def mapping(name: str) -> dict[str, str]:
    """The value of a setting that is a JSON object. Raises: SettingError when it is none, or holds more than texts."""
    try:
        value = json.loads(text(name))
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise SettingError(f"{name} must be a JSON object of texts: {_BY_NAME[name].help}")
    return value


def networks(name: str) -> tuple[Network, ...]:
    """The value of a setting that is networks. Raises: SettingError when it is not."""
    return _networks(name, text(name))


@lru_cache(8)
def _networks(name: str, value: str) -> tuple[Network, ...]:
    try:
        return tuple(map(ipaddress.ip_network, value.split()))
    except ValueError as error:
        raise SettingError(f"{name} must be networks: {error}") from error


def required(name: str) -> str:
    """The value of a setting that has no sensible default. Raises: SettingError when it is unset."""
    value = text(name)
    if not value:
        raise SettingError(f"{name} is not set: {_BY_NAME[name].help}")
    return value


def check() -> None:
    """Fail at a function's start, not at 3 a.m.

    Raises: SettingError for a number, an object or a network that is none, for a secret that is too short, and for an
    unknown kind of URL. What must be set for a function is in starting.py.
    """
    for setting in SETTINGS:
        if isinstance(setting.default, int):
            number(setting.name)
        if setting.is_mapping:
            mapping(setting.name)
        if setting.are_networks:
            networks(setting.name)
        if setting.choices and text(setting.name) not in setting.choices:
            raise SettingError(f"{setting.name} must be one of {', '.join(setting.choices)}")
        if 0 < len(text(setting.name).encode()) < setting.min_bytes:
            raise SettingError(f"{setting.name} must have {setting.min_bytes} bytes or more: {setting.help}")
        # Not the whole value: it may hold a password.
        if setting.schemes and text(setting.name).partition(":")[0] not in (*setting.schemes, setting.default):
            raise SettingError(f"{setting.name} must begin with {': or '.join(setting.schemes)}: {setting.help}")
