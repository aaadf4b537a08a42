"""Which function answers what, and whether it takes an access token."""

from __future__ import annotations

__all__ = ["TABLE"]

TABLE = (
    ("POST", "/v1/users", "login", False),
    ("POST", "/v1/token", "login", False),
    ("GET", "/v1/me", "login", True),
    ("GET", "/.well-known/jwks.json", "login", False),
    ("GET", "/v1/me/mail", "notify", True),
    ("POST", "/v1/jobs", "upload", True),
    ("POST", "/v1/jobs/<job_id>/retry", "upload", True),
    ("GET", "/v1/jobs", "download", True),
    ("GET", "/v1/jobs/<job_id>", "download", True),
    ("DELETE", "/v1/jobs/<job_id>", "download", True),
    ("POST", "/v1/jobs/<job_id>/cancel", "download", True),
    ("GET", "/v1/jobs/<job_id>/events", "download", True),
    ("GET", "/v1/jobs/<job_id>/audio", "download", True),
    ("GET", "/v1/files/<signed>", "download", False),
)
