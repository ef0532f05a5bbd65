"""What the server sends: images, zips of files, and refusals."""

import io
import json
import zipfile

import numpy as np
from PIL import Image


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def unzipped(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def refuses(server, path, body, status, words, kind="image/jpeg"):
    """Check that a request is refused with this status, and that its reason has these words."""
    found, _, data = server.ask(path, body, kind)
    assert found == status, data[:300]
    assert words in json.loads(data)["error"]
