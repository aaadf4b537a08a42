"""What is in a file, as far as its containers say it: streams, chapters, edits, its end, its encryption."""
