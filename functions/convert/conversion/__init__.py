"""The conversion itself, pure: bytes come from a RangeSource, messages go out; it has no file, socket or database."""
