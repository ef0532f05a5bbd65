"""What the server sends: images, and zips of files."""

import io
import zipfile

import numpy as np
from PIL import Image


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def unzipped(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
