"""A number for SMS, as its owner sees and changes it."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct

from functions.shared.problems import Problem
from functions.shared.views import Instant

__all__ = ["PLACE", "NewPhone", "Phone", "PhoneCode"]

# Where the number goes in SMS_SERVICE.
PLACE = "{number}"

# ITU-T E.164: a country code and a national number, 15 digits at most. No country has less than seven in all.
E164 = "^\\+[1-9][0-9]{6,14}$"


class NewPhone(Struct, forbid_unknown_fields=True):
    """A number that is to be confirmed. Raises: Problem (400) when it is none."""

    number: Annotated[
        str,
        Meta(
            description="With the country code, as E.164 has it; spaces, hyphens and brackets do not count.",
            examples=["+4915112345678"],
            extra_json_schema={"maxLength": 40},
        ),
    ]

    def __post_init__(self) -> None:
        if len(self.number) > 40 or not re.fullmatch(E164, plain := re.sub(r"[ ()./-]", "", self.number)):
            raise Problem("bad-request", "`number` must be a telephone number with its country code: +4915112345678.")
        self.number = plain


class PhoneCode(Struct, forbid_unknown_fields=True):
    """What was sent to the number."""

    code: Annotated[str, Meta(description="The six digits of the SMS.", examples=["482913"], max_length=20)]


class Phone(Struct, kw_only=True):
    """The number of an account, if it has one."""

    possible: Annotated[bool, Meta(description="Whether SMS are sent here at all.")]
    number: Annotated[str | None, Meta(description="All but its last digits are hidden.", examples=["+49…678"])]
    confirmed_at: Annotated[
        Instant | None, Meta(description="Since when it is used; null until the code has come back.")
    ]
    code_expires_at: Annotated[Instant | None, Meta(description="Until when the code that was sent is good.")]
