"""The conversion itself, pure: bytes come from a Source, messages go out; no file, socket or database of its own."""
