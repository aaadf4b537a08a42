"""Sends one message by a service of apprise (https://appriseit.com), which knows how chats and SMS are sent."""

from __future__ import annotations

from functions.shared.problems import NeedsOperator, Unavailable

__all__ = ["send"]


def send(url: str, name: str, title: str, body: str) -> None:
    """Send it. Whether a message that went wrong has arrived all the same, apprise does not say.

    `name` is what the log calls the service: its URL holds secrets.
    Raises: NeedsOperator when apprise does not know such a URL; Unavailable when the service did not take it.
    """
    # It takes as long to import as the rest of a cold start, and few have it configured.
    import apprise

    service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    if not service.add(url):
        raise NeedsOperator(f"apprise does not take the URL of {name}")
    if not service.notify(title=title, body=body, body_format="text"):
        raise Unavailable(f"{name} did not take it")
