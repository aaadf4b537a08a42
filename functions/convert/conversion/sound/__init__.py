"""Samples on the clock of the video: cut, shaped, faded, measured."""
