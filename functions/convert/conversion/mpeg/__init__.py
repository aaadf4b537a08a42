"""MP3: frames, encoder, joining, copying, tags, covers, zips."""
