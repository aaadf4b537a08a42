"""functions/shared/mail.py and functions/notify/texts.py: mails, by a real SMTP server and as files."""

from __future__ import annotations

import re
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from events.catalogue import AudioCreated, ConversionFailed
from functions.notify import german, texts
from functions.notify.channels import identity
from functions.shared import mail
from functions.shared.job_warnings import WARNINGS, JobWarning, names
from functions.shared.jobs import transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Unavailable
from functions.shared.reasons import HINTS, REASONS, Failure
from functions.shared.tables import jobs as table
from functions.shared.views import job_view
from tests.servers.certificates import self_signed, tls
from tests.unit import rows
from tests.unit.smtp import Server

LONG_AUDIO = Audio(2_500_000, "ab" * 32, 3665.2)
HOSTILE = [
    "a\r\nBcc: eve@example.com",
    "a\nSubject: other\n\nforged",
    "a\u2028Bcc: eve@example.com",
    "a\u2029b\x85c\x0bd\x0ce\x1cf",
    "=?utf-8?q?=0D=0ABcc:_eve@example.com?=",
    "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLmNvbQ==?=.mp4",
    "=\n?utf-8?q?=0D=0ABcc:_eve@example.com?=",
    "{{ 7 * 7 }}{% raw %}",
    "<b>&amp;",
    "\u202egpj.exe",
    "你" * 255,
    ".\r\n.\r\nMAIL FROM:<eve@example.com>",
]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


def test_a_mail_reaches_its_owner_whole(server: Server) -> None:
    mail.send(composed("Fertig: Grüße 你好.mp4\n\nHallo,\n\nÄhre.\n"))
    (envelope,) = server.got
    assert (envelope.rcpt_tos, envelope.mail_from) == (["anna@example.com"], "audiolift@localhost")
    received = parsed(envelope.content)
    assert received["Subject"] == "Fertig: Grüße 你好.mp4"
    assert received.get_content().replace("\r\n", "\n") == "Hallo,\n\nÄhre.\n"
    assert (received["Auto-Submitted"], received["Message-ID"]) == (
        "auto-generated",
        f"<{identity('job', 'k', 1)}@audiolift>",
    )


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
def test_a_mail_that_the_server_will_never_take_is_refused(server: Server, command: str) -> None:
    server.answers[command] = "550 no such mailbox"
    with pytest.raises(mail.MailRefused, match="no such mailbox"):
        mail.send(composed())


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
def test_a_mail_that_the_server_puts_off_may_be_sent_later(server: Server, command: str) -> None:
    server.answers[command] = "451 greylisted"
    with pytest.raises(Unavailable, match="greylisted"):
        mail.send(composed())


@pytest.mark.parametrize("answer", ["421 shutting down", "500 what?"])
def test_a_mail_that_was_taken_is_sent_however_the_server_says_goodbye(server: Server, answer: str) -> None:
    server.answers["QUIT"] = answer
    mail.send(composed())
    assert len(server.got) == 1


@pytest.mark.parametrize("url", ["smtp://127.0.0.1:9", "smtp://mail.invalid", "smtps://127.0.0.1:9"])
def test_a_server_that_is_not_there_costs_delay_only(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SMTP_URL", url)
    with pytest.raises(Unavailable):
        mail.send(composed())


def test_login_happens_over_tls_when_the_server_offers_it(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    with Server(tls_context=tls(certificate), auth_require_tls=True) as server:
        monkeypatch.setenv("SMTP_URL", f"smtp://anna:s3cret%2F%40@{server.place}")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        mail.send(composed())
    assert (server.logins, len(server.got)) == ([(b"anna", b"s3cret/@")], 1)


def test_a_wrong_password_is_the_operator_s_to_mend_and_loses_no_mail(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    with Server(tls_context=tls(certificate)) as server:
        monkeypatch.setenv("SMTP_URL", f"smtp://anna:wrong@{server.place}")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with pytest.raises(Unavailable):
            mail.send(composed())


def test_smtps_is_spoken(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    with Server(ssl_context=tls(certificate)) as server:
        monkeypatch.setenv("SMTP_URL", f"smtps://{server.place}")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        mail.send(composed())
    assert len(server.got) == 1


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_that_cannot_prove_who_it_is_gets_no_mail(
    monkeypatch: pytest.MonkeyPatch, certificate: Path, scheme: str
) -> None:
    options = {"ssl_context" if scheme == "smtps" else "tls_context": tls(certificate)}
    with Server(**options) as server:
        monkeypatch.setenv("SMTP_URL", f"{scheme}://anna:s3cret%2F%40@{server.place}")
        with pytest.raises(Unavailable):
            mail.send(composed())
    assert (server.got, server.logins) == ([], [])


@pytest.mark.usefixtures("tables", "store", "secrets")
@pytest.mark.parametrize("filename", HOSTILE)
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", [AudioCreated.TYPE, ConversionFailed.TYPE])
def test_no_file_name_can_forge_a_header_or_a_recipient(
    server: Server, filename: str, kind: str, language: str
) -> None:
    row = ended(kind, filename)
    text, html = (write(row, kind, language) for write in (texts.write, texts.write_html))
    mail.send(mail.compose(identity("job", kind, 1), "anna@example.com", text, html, thread=row.id))
    (envelope,) = server.got
    assert envelope.rcpt_tos == ["anna@example.com"]
    received = parsed(envelope.content)
    headers = ["Message-ID", "From", "To", "Subject", "Date", "Auto-Submitted", "MIME-Version", "References"]
    assert sorted(set(received.keys()) - {"Content-Type", "Content-Transfer-Encoding"}) == sorted(headers)
    assert "49" not in received["Subject"]


@pytest.mark.usefixtures("tables", "store", "secrets")
def test_a_mail_says_what_happened_and_what_to_do() -> None:
    assert "Check that the video plays with sound" in texts.write(ended(ConversionFailed.TYPE), ConversionFailed.TYPE)
    ready = texts.write(ended(AudioCreated.TYPE), AudioCreated.TYPE)
    assert "http://localhost:8080/v1/files/" in ready
    assert "1:01:05 long, 2.5 MB" in ready
    assert "Please note" not in ready


@pytest.mark.usefixtures("tables", "store", "secrets")
def test_a_mail_says_what_to_know_about_the_mp3() -> None:
    row = ended(AudioCreated.TYPE, warnings=(JobWarning("by-ffmpeg"), JobWarning("of-a-newer-release")))
    text = texts.write(row, AudioCreated.TYPE)
    noted = f"as MP3.\n\nPlease note:\n\n- {WARNINGS['by-ffmpeg']}\n- of-a-newer-release\n\nDownload it here"
    assert noted in text


@pytest.mark.usefixtures("tables", "store", "secrets")
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", [AudioCreated.TYPE, ConversionFailed.TYPE])
def test_a_mail_has_a_part_in_html_that_says_the_same_and_runs_nothing(
    server: Server, kind: str, language: str
) -> None:
    row = ended(kind, "<script>alert(1)</script>&<b>talk.mp4")
    text, html = (write(row, kind, language) for write in (texts.write, texts.write_html))
    mail.send(mail.compose("1", "anna@example.com", text, html))
    received = parsed(server.got[0].content)
    assert [part.get_content_type() for part in received.iter_parts()] == ["text/plain", "text/html"]
    shown = received.get_body(("html",)).get_content()
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&lt;b&gt;talk.mp4" in shown
    assert f'<html lang="{language}">' in shown
    assert 'name="color-scheme" content="light dark"' in shown
    assert "prefers-color-scheme: dark" in shown
    assert "<h1>" in shown
    assert set(re.findall(r'href="(http[^"]+)"', shown)) == set(re.findall(r"^http\S+", text, re.MULTILINE))


@pytest.mark.usefixtures("tables", "store", "secrets")
def test_a_mail_in_german_is_in_german_to_its_last_sentence() -> None:
    failed = texts.write(ended(ConversionFailed.TYPE), ConversionFailed.TYPE, "de")
    assert failed.startswith("Keine MP3 von ")
    assert "Das Video hat keine Tonspur. Es gibt nichts umzuwandeln." in failed
    ready = texts.write(ended(AudioCreated.TYPE, warnings=(JobWarning("ends-early"),)), AudioCreated.TYPE, "de")
    assert "1:01:05 lang, 2,5 MB" in ready
    assert german.WARNINGS["ends-early"] in ready
    for text in (failed, ready):
        assert not {"the", "The", "is", "audio", "Hello"} & set(text.split())


def test_all_that_a_mail_can_say_of_a_job_has_a_german_text() -> None:
    said = {text for pair in REASONS.values() for text in pair} | {text for _, text in HINTS.values()}
    assert said <= set(german.REASONS)
    assert set(german.WARNINGS) == set(WARNINGS)
    for code, text in german.WARNINGS.items():
        assert {name for _, name, _, _ in Formatter().parse(text) if name} == names(code)


@pytest.mark.usefixtures("tables", "store", "secrets")
def test_what_a_newer_release_says_is_said_in_its_own_words() -> None:
    row = ended(AudioCreated.TYPE, warnings=(JobWarning("undecodable", {"other": 1}), JobWarning("of-a-newer-release")))
    assert "\n- undecodable\n- of-a-newer-release\n" in texts.write(row, AudioCreated.TYPE, "de")
    assert german.reason("Something new") == "Something new"


@pytest.mark.parametrize("address", ["o'brien+x@mail.example.co.uk", "!#$%&'*+-/?^_`{|}~=@example.org", "a..b.@a.com"])
def test_every_address_that_an_account_may_have_gets_its_mail(server: Server, address: str) -> None:
    mail.send(mail.compose("1", address, "Subject\n\nBody"))
    assert server.got[0].rcpt_tos == [address]


def test_a_mail_kept_as_a_file_reads_as_it_was_sent(mails: Path) -> None:
    mail.send(composed("Grüße\n\n你好\n"))
    kept = mail.kept(identity("job", "k", 1))
    assert kept
    assert (kept["Subject"], kept["To"]) == ("Grüße", "anna@example.com")
    assert kept.get_content().strip() == "你好"


def test_a_mail_that_is_sent_again_is_still_one_file(mails: Path) -> None:
    for _ in range(3):
        mail.send(composed())
    assert [path.suffix for path in mails.iterdir()] == [".eml"]


def test_each_job_kind_and_generation_has_a_mail_of_its_own() -> None:
    ids = {identity(*key) for key in [("a", "k", 1), ("b", "k", 1), ("a", "l", 1), ("a", "k", 2)]}
    assert len(ids) == 4


def test_a_mail_that_is_not_kept_is_none(mails: Path) -> None:
    assert mail.kept("nothing") is None
    assert mail.is_kept()


def test_where_mail_goes_out_by_smtp_none_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", "smtp://localhost")
    assert not mail.is_kept()
    assert mail.kept(identity("job", "k", 1)) is None


def test_a_directory_that_cannot_be_written_to_costs_delay_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SMTP_URL", f"file:{tmp_path / 'file' / 'mail'}")
    with pytest.raises(Unavailable):
        mail.send(composed())


def composed(text: str = "Subject\n\nBody") -> Any:
    return mail.compose(identity("job", "k", 1), "anna@example.com", text)


@pytest.mark.usefixtures("tables", "store")
def test_a_reason_that_only_a_newer_release_knows_is_shown_as_it_is() -> None:
    failed = ended(ConversionFailed.TYPE)
    rows.change(table, table.c.id == failed.id, error_code="of-a-newer-release")
    newer = rows.read(failed.id)
    assert "of-a-newer-release" in texts.write(newer, ConversionFailed.TYPE)
    assert (job_view(newer).error or pytest.fail("no error")).title == "of-a-newer-release"


def ended(kind: str, filename: str = "talk.mp4", warnings: tuple[JobWarning, ...] = ()) -> Any:
    """The row of a job that is done or failed."""
    job = rows.job("converting", filename=filename)
    ends: dict[str, Callable[[], str]] = {
        AudioCreated.TYPE: lambda: transitions.finish(rows.claim_of(job), LONG_AUDIO, warnings),
        ConversionFailed.TYPE: lambda: transitions.fail_claimed(rows.claim_of(job), Failure("no-audio")),
    }
    ends[kind]()
    return rows.read(job)


def parsed(content: Any) -> Any:
    return message_from_bytes(content, policy=policy.default)
