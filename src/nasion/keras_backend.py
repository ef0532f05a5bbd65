"""Keras 3, imported late and under the backend that is asked for or installed."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from nasion.errors import MissingExtra, SettingError

BACKENDS = {"tensorflow": "tensorflow", "torch": "keras,pytorch", "jax": "jax"}  # and the extra that installs each


def keras() -> ModuleType:
    """Keras under ``KERAS_BACKEND``, else under the backend of Keras' own settings file if that is installed, else under the
    first of TensorFlow, PyTorch and JAX that is. Raises ``MissingExtra`` with what to install.
    """
    if there := sys.modules.get("keras"):
        return there
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if threads := os.environ.get("OMP_NUM_THREADS"):
        # One variable for all frameworks: TensorFlow has a pool of its own.
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)
    asked = os.environ.get("KERAS_BACKEND")
    if asked and asked not in BACKENDS:
        raise SettingError(f"KERAS_BACKEND={asked}: one of {', '.join(BACKENDS)} expected.")
    name = asked or next((name for name in (_settled(), *BACKENDS) if name in BACKENDS and find_spec(name)), "tensorflow")
    os.environ["KERAS_BACKEND"] = name
    try:
        with _quiet_unless_it_fails():
            import keras
    except ImportError as error:
        # Whoever has no Keras yet is best served by TensorFlow.
        raise MissingExtra(f"A Keras network under {name}", error, BACKENDS[name if asked or find_spec("keras") else "tensorflow"]) from error
    return keras


def _settled() -> str:
    """The backend in Keras' settings file; Keras writes one at its first start, whoever asked for what."""
    path = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get("backend"))
    except (OSError, ValueError, AttributeError):
        return ""


def backend() -> str:
    """``tensorflow``, ``torch`` or ``jax``."""
    return keras().backend.backend()


def computes_in_bfloat16() -> bool:
    """True if the backend's device is fast in bfloat16. JAX computes it on CPUs by way of float32."""
    if backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            return tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0)) >= (8, 0)
    elif backend() == "torch":
        import torch

        if torch.cuda.is_available():
            return torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        import jax

        return jax.default_backend() != "cpu"
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and bool({"avx512_bf16", "amx_bf16"} & set(flags.read_text().split()))


@contextmanager
def _quiet_unless_it_fails() -> Iterator[None]:
    """TensorFlow's C++ writes lines about itself to standard error as it starts, which no setting stops."""
    try:
        descriptor = sys.__stderr__.fileno()  # pyright: ignore
        kept = os.dup(descriptor)
    except (AttributeError, OSError, ValueError):  # there is no standard error, or it is no file
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), descriptor)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, descriptor)
            os.close(kept)
