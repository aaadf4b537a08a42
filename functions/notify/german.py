"""What notices say in German: the texts of functions/shared/reasons.py and job_warnings.py, by their English ones."""

from __future__ import annotations

import re

__all__ = ["REASONS", "WARNINGS", "WEBHOOK_REASONS", "reason", "webhook_reason"]

# A title of REASONS, or what to do, of REASONS or HINTS → the same in German.
REASONS: dict[str, str] = {
    "The file is empty": "Die Datei ist leer",
    "Check the file on your side and upload it again.": ("Prüfe die Datei bei dir, und lade sie noch einmal hoch."),
    "The file is not a video or audio file": "Die Datei ist weder Video noch Ton",
    "Upload the video itself, for example an .mp4, .mkv, .webm or .mov file.": (
        "Lade das Video selbst hoch, zum Beispiel als .mp4, .mkv, .webm oder .mov."
    ),
    "Files of this kind are not accepted": "Dateien dieser Art werden nicht angenommen",
    (
        "Playlists and scripts that point to other files are refused, and so are rare formats. "
        "Upload the video itself, for example as an .mp4, .mkv, .webm or .mov file."
    ): (
        "Wiedergabelisten und Skripte, die auf andere Dateien verweisen, werden abgelehnt, ebenso"
        " seltene Formate. Lade das Video selbst hoch, zum Beispiel als .mp4, .mkv, .webm "
        "oder .mov."
    ),
    "The video has no audio track": "Das Video hat keine Tonspur",
    "There is nothing to convert. Check that the video plays with sound.": (
        "Es gibt nichts umzuwandeln. Prüfe, ob das Video mit Ton abgespielt wird."
    ),
    "The video has no such audio track": "Diese Tonspur hat das Video nicht",
    "Choose one of the tracks that the video has, or leave the choice to us.": (
        "Wähle eine der Spuren, die das Video hat, oder überlass uns die Wahl."
    ),
    "The audio is in a format that cannot be read": ("Der Ton ist in einem Format, das nicht gelesen werden kann"),
    "Re-encode the video with common audio such as AAC, and upload it again.": (
        "Speichere das Video mit üblichem Ton wie AAC, und lade es noch einmal hoch."
    ),
    "The audio is encrypted": "Der Ton ist verschlüsselt",
    ("Rented and protected videos and audiobooks cannot be converted. Upload a copy without protection."): (
        "Geliehene und geschützte Videos und Hörbücher können nicht umgewandelt werden. Lade"
        " eine Kopie ohne Schutz hoch."
    ),
    "The file ends too early": "Die Datei endet zu früh",
    ("The upload or the copy was cut off. Upload all of it, or take what there is with the option `partial`."): (
        "Beim Hochladen oder Kopieren wurde sie abgeschnitten. Lade sie ganz hoch, oder "
        "nimm mit der Option `partial`, was da ist."
    ),
    "The audio in the file is damaged": "Der Ton in der Datei ist beschädigt",
    "Check that the video plays to its end, and upload a sound copy.": (
        "Prüfe, ob das Video bis zum Ende abgespielt wird, und lade eine heile Kopie hoch."
    ),
    "Nothing would be left of the audio": "Vom Ton bliebe nichts übrig",
    "Choose a `start` that is before its end.": "Wähle ein `start`, das vor seinem Ende liegt.",
    "The audio is too long": "Der Ton ist zu lang",
    "Cut the video into shorter parts and upload them one by one.": (
        "Schneide das Video in kürzere Teile, und lade diese einzeln hoch."
    ),
    "The MP3 would be too large": "Das MP3 würde zu groß",
    "Choose a lower quality, or cut the video into parts.": (
        "Wähle eine geringere Qualität, oder schneide das Video in Teile."
    ),
    "The conversion took too long": "Die Umwandlung hat zu lange gedauert",
    "Try again, choose a lower quality, or cut the video into parts.": (
        "Versuche es noch einmal, wähle eine geringere Qualität, oder schneide das Video in Teile."
    ),
    "The conversion was cancelled": "Die Umwandlung wurde abgebrochen",
    "Upload the video again if you want its MP3 after all.": (
        "Lade das Video noch einmal hoch, wenn du die MP3 doch möchtest."
    ),
    "The address of the video is not accepted": "Die Adresse des Videos wird nicht angenommen",
    ("Give an http or https address that the public internet can reach, without a user name or password in it."): (
        "Gib eine Adresse mit http oder https an, die im Internet öffentlich ist, ohne "
        "Benutzernamen und Passwort darin."
    ),
    "The video could not be fetched": "Das Video konnte nicht geholt werden",
    "Check that its address can be opened without signing in, and retry.": (
        "Prüfe, ob sich seine Adresse ohne Anmeldung öffnen lässt, und versuche es noch einmal."
    ),
    "The video is too large": "Das Video ist zu groß",
    "Cut it into parts, or lower its resolution: only the sound counts.": (
        "Schneide es in Teile, oder verringere seine Auflösung: Nur der Ton zählt."
    ),
    "Your account may have no more": "Dein Konto darf nicht mehr haben",
    "Wait for jobs to end, or delete some. Then retry this one.": (
        "Warte, bis Aufträge beendet sind, oder lösche welche. Dann versuche es mit diesem noch einmal."
    ),
    "Your account has used up its minutes of today": "Dein Konto hat seine Minuten von heute verbraucht",
    "Retry the job tomorrow (UTC), or ask the operator for more.": (
        "Versuche es morgen (UTC) noch einmal, oder bitte den Betreiber um mehr."
    ),
    "The conversion failed several times": "Die Umwandlung ist mehrmals gescheitert",
    "Retry the job later. If it fails again, tell the operator its id.": (
        "Versuche es später noch einmal. Scheitert es wieder, nenne dem Betreiber die Kennung des Auftrags."
    ),
    "This is a picture, which has no sound. Upload the video itself.": (
        "Das ist ein Bild, das keinen Ton hat. Lade das Video selbst hoch."
    ),
    (
        "The part that says where the sound lies is missing, so that nothing can be read: the "
        "upload or the copy was cut off, or the recording was not finished. Upload all of it, or "
        "have it repaired by what recorded it."
    ): (
        "Der Teil, der sagt, wo der Ton liegt, fehlt, sodass nichts gelesen werden kann: Beim "
        "Hochladen oder Kopieren wurde sie abgeschnitten, oder die Aufnahme wurde nicht beendet. "
        "Lade sie ganz hoch, oder lass sie von dem Gerät reparieren, das sie "
        "aufgenommen hat."
    ),
    "Its host has letters that are in no host's name, or are there to be taken for others. Check the address.": (
        "Der Name des Rechners hat Zeichen, die darin nicht vorkommen oder andere vortäuschen. Prüfe die Adresse."
    ),
    "There is no host of that name. Check the address of the video.": (
        "Einen Rechner dieses Namens gibt es nicht. Prüfe die Adresse des Videos."
    ),
    ("The certificate of its server is not valid. Have that mended, or give an address with a valid one, and retry."): (
        "Das Zertifikat seines Servers ist nicht gültig. Lass es erneuern, oder gib "
        "eine Adresse mit einem gültigen an, und versuche es noch einmal."
    ),
    (
        "Its server compresses the file on the way (Content-Encoding), though it was asked not "
        "to. Give an address that leads to the file as it is."
    ): (
        "Sein Server komprimiert die Datei unterwegs (Content-Encoding), obwohl er gebeten wurde,"
        " es nicht zu tun. Gib eine Adresse an, unter der die Datei so liegt, wie sie ist."
    ),
}
# A code of WARNINGS → its text, with the same values in braces.
WARNINGS: dict[str, str] = {
    "undecodable": "{broken} von {frames} Tonblöcken konnten nicht gelesen werden; dort ist Stille.",
    "by-ffmpeg": (
        "Auf die übliche Weise ließ sich das Video nicht umwandeln, daher wurde eine einfachere "
        "genommen: Das Titelbild fehlt, Stille an den Enden wurde nicht entfernt, und Kapitel "
        "wurden keine eigenen Dateien."
    ),
    "wild-samples": (
        "Einige Werte sind kein Ton: Sie sind unendlich, keine Zahl oder weit über der "
        "Vollaussteuerung. Im MP3 sind sie still: {count}."
    ),
    "track-unreadable": (
        "Spur {track}, die im Video die erste Wahl ist, hat ein Format, das nicht gelesen werden "
        "kann: Spur {chosen} wurde genommen."
    ),
    "track-empty": "Spur {track}, die im Video die erste Wahl ist, ist leer: Spur {chosen} wurde genommen.",
    "track-aside": (
        "Spur {track}, die im Video die erste Wahl ist, ist eine Bildbeschreibung, ein Kommentar "
        "oder eine andere Fassung neben der eigentlichen: Spur {chosen} wurde genommen."
    ),
    "track-silent": (
        "Spur {track}, die im Video die erste Wahl ist, hat keinen Ton, wo immer hineingehört "
        "wurde: Spur {chosen} wurde genommen."
    ),
    "track-maybe-silent": (
        "Spur {chosen} wurde genommen und hatte keinen Ton, wo hineingehört wurde. Spur {track} "
        "hat welchen: Wähle sie mit der Option `track`, wenn du sie meinst."
    ),
    "ends-early": "Die Datei endet zu früh: Das Ende des Tons fehlt.",
    "end-unknown": (
        "Die Datei endet nicht wie andere ihrer Art und sagt nicht, wie lang sie ist: Wurde sie "
        "abgeschnitten, so fehlt das Ende des Tons."
    ),
    "states-less": "Die Datei gibt {stated} s Ton an, enthält aber {held} s: Alles wurde genommen.",
    "damaged-pages": (
        "Teile der Datei sind beschädigt (Seiten der Ogg-Datei: {pages:,}). Was davon lesbar ist, ist in der MP3; der "
        "Rest ist still oder fehlt am Ende."
    ),
    "states-more": (
        "Die Datei gibt {stated} s Ton an, enthält aber {held} s: Alles wurde genommen. Wurde sie abgeschnitten, "
        "fehlt das Ende des Tons."
    ),
    "recordings": "Die Datei enthält {count} Aufnahmen hintereinander: Alle wurden genommen.",
    "rest-unread": "Was in der Datei noch folgt, kann nicht gelesen werden und wurde weggelassen.",
    "several-microphones": (
        "Das Video hat {count} einkanalige Spuren, wie von Mikrofonen, und Spur {chosen} wurde "
        "genommen: Die Option `tracks=mix` mischt alle."
    ),
}
# Why a webhook was given up → the same in German. Patterns, for numbers and names are in them.
WEBHOOK_REASONS: dict[str, str] = {
    r"it answered 410, which says that it wants no more": "hat er mit 410 geantwortet: Er möchte nichts mehr",
    r"it answered (\d+)": r"hat er mit \1 geantwortet",
    r"it did not answer: (\w+)": r"hat er nicht geantwortet: \1",
    r"its host does not lead to a public address": "führte sein Name zu keiner öffentlichen Adresse",
    r"there is no host of its name": "gab es keinen Rechner seines Namens",
}


def webhook_reason(text: str) -> str:
    """Why a webhook was given up, in German; as it is when a newer release has it."""
    for english, german in WEBHOOK_REASONS.items():
        if re.fullmatch(english, text):
            return re.sub(english, german, text)
    return f"hieß es: {text}"


def reason(text: str) -> str:
    """A title of a failure, or what to do, in German; as it is when a newer release has it, which is not known here."""
    return REASONS.get(text, text)
