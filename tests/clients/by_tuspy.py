"""Uploads a file by tuspy: python by_tuspy.py ENDPOINT TOKEN FILE OPTIONS (JSON). Writes the upload's address."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

# tuspy has no types.
tusclient: Any = importlib.import_module("tusclient.client")
endpoint, token, path, options = sys.argv[1:]

client = tusclient.TusClient(endpoint, headers={"Authorization": f"Bearer {token}"})
metadata = {"filename": "talk.mp4", "filetype": "video/mp4", "quality": "5"}
uploader = client.uploader(path, metadata=metadata, retries=300, retry_delay=0.1, **json.loads(options))
uploader.upload()
print(uploader.url)
