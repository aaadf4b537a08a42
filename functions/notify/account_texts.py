"""What mails about accounts say, in each language: `{link}` stands where their link goes."""

from __future__ import annotations

from collections.abc import Mapping

from functions.shared import kinds
from functions.shared.languages import Language
from functions.shared.wording import Words

__all__ = ["KINDS", "TEXTS", "UNSAID"]

ENGLISH = {
    kinds.CONFIRM: Words(
        "Confirm your address",
        """\
somebody, you we hope, has registered this address. Open this link within a day, and sign in with the password that you
have chosen:
{link}

If it was not you, do nothing: without the password the link is of no use, and no account is made.""",
        "Confirm this address",
    ),
    kinds.KNOWN: Words(
        "You already have an account",
        """\
somebody, you perhaps, has entered this address for a new account. You have one already. Sign in here; you can also have
your password reset:
{link}

If it was not you, do nothing: they have not been told that there is an account.""",
        "Sign in",
    ),
    kinds.CONFIRM_ADDRESS: Words(
        "Confirm your new address",
        """\
somebody, you we hope, wants this to be the address of their account. Open this link within a day, and confirm it
with the password of that account:
{link}

If it was not you, do nothing.""",
        "Confirm this address",
    ),
    kinds.RESET: Words(
        "Reset your password",
        """\
somebody, you we hope, has forgotten the password of your account. Open this link within half an hour, and choose
another one:
{link}

If it was not you, do nothing: your password stays as it is.""",
        "Choose another password",
    ),
    kinds.PASSWORD_CHANGED: Words(
        "Your password was changed",
        """\
the password of your account was changed, and everybody who was signed in has been signed out.

If it was not you, have your password reset at once, by "Forgot your password?" on the page:
{link}""",
        "Go to the page",
    ),
    kinds.ADDRESS_CHANGED: Words(
        "Your address was changed",
        """\
your account has another address now. This one gets no more mail from us.

If it was not you, tell whoever runs this service.""",
    ),
    kinds.KEY_MADE: Words(
        "An API key was made",
        """\
somebody, you we hope, has made an API key for your account, and called it "{name}". Whoever has it can use the account
without a password.

If it was not you, revoke the key, and change your password:
{link}""",
        "Go to your account",
    ),
    kinds.SIGNED_IN: Words(
        "A new sign-in to your account",
        """\
somebody, you we hope, has signed in to your account from a place, or by a program, that we do not know of you:

{program}, from {address} ({at}).

If it was you, there is nothing to do. If it was not, change your password, which signs everybody out:
{link}

You can choose not to get such mails, under notices in your settings.""",
        "Go to your account",
    ),
    kinds.DELETED: Words(
        "Your account was deleted",
        """\
your account was deleted, as you have asked. Its files are deleted within the next hours.

If it was not you, tell whoever runs this service.""",
    ),
}
GERMAN = {
    kinds.CONFIRM: Words(
        "Bestätige deine Adresse",
        """\
jemand, hoffentlich du, hat sich mit dieser Adresse registriert. Öffne diesen Link innerhalb eines Tages, und
melde dich mit dem Passwort an, das du gewählt hast:
{link}

Warst du es nicht, tu nichts: Ohne das Passwort nützt der Link niemandem, und es entsteht kein Konto.""",
        "Diese Adresse bestätigen",
    ),
    kinds.KNOWN: Words(
        "Du hast schon ein Konto",
        """\
jemand, vielleicht du, hat diese Adresse für ein neues Konto eingegeben. Du hast schon eines. Hier meldest du dich
an; du kannst auch dein Passwort zurücksetzen lassen:
{link}

Warst du es nicht, tu nichts: Wer es war, hat nicht erfahren, dass es ein Konto gibt.""",
        "Anmelden",
    ),
    kinds.CONFIRM_ADDRESS: Words(
        "Bestätige deine neue Adresse",
        """\
jemand, hoffentlich du, möchte diese Adresse für sein Konto. Öffne diesen Link innerhalb eines Tages, und
bestätige sie mit dem Passwort dieses Kontos:
{link}

Warst du es nicht, tu nichts.""",
        "Diese Adresse bestätigen",
    ),
    kinds.RESET: Words(
        "Setze dein Passwort zurück",
        """\
jemand, hoffentlich du, hat das Passwort deines Kontos vergessen. Öffne diesen Link innerhalb einer halben Stunde,
und wähle ein anderes:
{link}

Warst du es nicht, tu nichts: Dein Passwort bleibt, wie es ist.""",
        "Ein anderes Passwort wählen",
    ),
    kinds.PASSWORD_CHANGED: Words(
        "Dein Passwort wurde geändert",
        """\
das Passwort deines Kontos wurde geändert, und alle, die angemeldet waren, sind abgemeldet.

Warst du es nicht, lass dein Passwort sofort zurücksetzen, mit „Passwort vergessen?“ auf der Seite:
{link}""",
        "Zur Seite",
    ),
    kinds.ADDRESS_CHANGED: Words(
        "Deine Adresse wurde geändert",
        """\
Dein Konto hat jetzt eine andere Adresse. An diese schreiben wir nicht mehr.

Warst du es nicht, sag es dem Betreiber dieses Dienstes.""",
    ),
    kinds.KEY_MADE: Words(
        "Ein API-Schlüssel wurde erstellt",
        """\
jemand, hoffentlich du, hat einen API-Schlüssel für dein Konto erstellt und ihn „{name}“ genannt. Wer ihn hat, kann das
Konto ohne Passwort benutzen.

Warst du es nicht, widerrufe den Schlüssel, und ändere dein Passwort:
{link}""",
        "Zu deinem Konto",
    ),
    kinds.SIGNED_IN: Words(
        "Eine neue Anmeldung bei deinem Konto",
        """\
jemand, hoffentlich du, hat sich bei deinem Konto angemeldet, von einem Ort oder mit einem Programm, die wir von dir
nicht kennen:

{program}, von {address} ({at}).

Warst du es, ist nichts zu tun. Warst du es nicht, ändere dein Passwort; das meldet alle ab:
{link}

Solche Mails kannst du in deinen Einstellungen unter Benachrichtigungen abwählen.""",
        "Zu deinem Konto",
    ),
    kinds.DELETED: Words(
        "Dein Konto wurde gelöscht",
        """\
Dein Konto wurde gelöscht, wie du es verlangt hast. Seine Dateien werden in den nächsten Stunden gelöscht.

Warst du es nicht, sag es dem Betreiber dieses Dienstes.""",
    ),
}
TEXTS: Mapping[Language, Mapping[str, Words]] = {"en": ENGLISH, "de": GERMAN}
# What there are words for.
KINDS = frozenset(ENGLISH)
UNSAID: Mapping[Language, str] = {
    "en": "a program that does not say what it is",
    "de": "ein Programm, das sich nicht nennt",
}
