"""Keras 3, imported late, under the requested or installed backend."""

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

# Keras' names of its backends, in order of preference, and the extras that install them.
BACKENDS = {"tensorflow": "tensorflow", "torch": "keras,pytorch", "jax": "jax"}


def keras() -> ModuleType:
    """Keras under ``KERAS_BACKEND``, else its settings file's backend, else what is installed.

    Of installed backends TensorFlow is preferred, then PyTorch, then JAX. Raises ``MissingExtra``
    that says what to install.
    """
    # Once imported its backend is fixed, whatever the environment says.
    if imported := sys.modules.get("keras"):
        return imported
    # TensorFlow reads its variables, and Keras its backend, once: while they are imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if threads := os.environ.get("OMP_NUM_THREADS"):
        # One variable for all frameworks: TensorFlow has its own thread pool.
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)
    requested = os.environ.get("KERAS_BACKEND")
    if requested and requested not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise SettingError(f"KERAS_BACKEND={requested}: one of {known} expected.")
    name = requested or _installed_backend()
    os.environ["KERAS_BACKEND"] = name
    try:
        with quiet_unless_it_fails():
            import keras
    except ImportError as error:
        # Users without Keras are best served by TensorFlow.
        extra = BACKENDS[name if requested or find_spec("keras") else "tensorflow"]
        raise MissingExtra(f"A Keras network under {name}", error, extra) from error
    return keras


def backend() -> str:
    """``tensorflow``, ``torch`` or ``jax``."""
    return keras().backend.backend()


def _installed_backend() -> str:
    # find_spec looks for a package without importing it. Keras writes its settings file by itself,
    # naming TensorFlow, so the file counts only if that backend is installed.
    for name in (_configured_backend(), *BACKENDS):
        if name in BACKENDS and find_spec(name):
            return name
    return "tensorflow"


def _configured_backend() -> str:
    """The backend in Keras' settings file, which Keras writes at its first start."""
    path = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get("backend"))
    except (OSError, ValueError, AttributeError):
        return ""


@contextmanager
def quiet_unless_it_fails() -> Iterator[None]:
    """Hold back what TensorFlow's C++ writes to standard error at start, which no setting stops."""
    try:
        descriptor = sys.__stderr__.fileno()  # pyright: ignore[reportOptionalMemberAccess]
        original = os.dup(descriptor)
    except (AttributeError, OSError, ValueError):  # no standard error, or not a file
        yield
        return
    with tempfile.TemporaryFile() as held:
        # On the level of file descriptors: C++ does not write through sys.stderr.
        os.dup2(held.fileno(), descriptor)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(original, held.read())
            raise
        finally:
            os.dup2(original, descriptor)
            os.close(original)
