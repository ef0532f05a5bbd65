"""The Keras loop: compile, fit and callbacks, as Keras users write it.

A stopped run continues as if it had not been stopped. Nothing random is carried along: order,
augmentation and dropout of a step are drawn from (seed, epoch, step) alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nasion.errors import RunError
from nasion.inference import checkpoint, run_folder
from nasion.inference.backends.keras import (
    KerasNetwork,
    build_model,
    keras_settings,
    load,
    training_policy,
)
from nasion.landmarks.faces import Faces
from nasion.models import keras_backend
from nasion.models.losses import masked_mean
from nasion.models.optim import Adam, Phase
from nasion.recipe import Recipe
from nasion.training import keras_callbacks
from nasion.training.prepare import mean_head_bias, prepare_data
from nasion.training.state import Interrupted, Observer, TrainingState, saved_state
from nasion.training.stopping import out_of_patience, stop_signal

keras: Any = keras_backend.keras()


@dataclass(frozen=True, eq=False)
class Session:
    """What stays the same while a run trains.

    ``network`` is the float32 copy of ``model``: what is validated and kept.
    """

    recipe: Recipe
    folder: Path
    model: Any
    network: KerasNetwork
    faces: Faces
    batches: Any
    val_faces: Faces
    val_crops: Any
    observers: tuple[Observer, ...]
    stopped: Callable[[], bool] = bool

    def save(self, state: TrainingState) -> None:
        """Write the checkpoint and the history."""
        # Within an epoch JAX holds the values apart from the model.
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        variables = _variables(self.model)
        metrics = self.model.metrics_variables
        variables |= {f"metric.{i}": variable for i, variable in enumerate(metrics)}
        to_numpy = keras.ops.convert_to_numpy
        tensors = {name: to_numpy(variable.value) for name, variable in variables.items()}
        checkpoint.save_tensors(self.folder / run_folder.CHECKPOINT, tensors, asdict(state))
        run_folder.write_history(self.folder, state.history)


def fit(
    recipe: Recipe,
    train_faces: Faces,
    val_faces: Faces,
    folder: Path,
    *,
    resume: bool = False,
    observers: tuple[Observer, ...] = (),
) -> TrainingState:
    """Train a recipe into a run folder made by ``run_folder.create``, phase after phase.

    Raises ``RunError`` if the loss is no longer finite, naming step and faces, and ``Interrupted``
    after Ctrl-C.
    """
    with keras_settings(training_policy(recipe)):
        session = _start_session(recipe, (train_faces, val_faces), folder, observers)
        state = TrainingState()
        if resume:
            path = folder / run_folder.CHECKPOINT
            state = saved_state(checkpoint.load_tensors(path, "np")[1], path)
        with stop_signal() as stopped:
            session = replace(session, stopped=stopped)
            for number, phase in enumerate(recipe.phases, start=1):
                rows = [row for row in state.history if row["phase"] == number]
                # A resumed run passes over phases that are done.
                if state.phase > number or _is_over(phase, rows):
                    continue
                if stopped():
                    raise Interrupted(state, folder)
                _fit_phase(session, state, number, phase, resume and state.phase == number)
    return state


def _start_session(
    recipe: Recipe, sides: tuple[Faces, Faces], folder: Path, observers: tuple[Observer, ...]
) -> Session:
    data = prepare_data(recipe, *sides)
    # Keras seeds the global generators; the caller's state is put back.
    before = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(recipe.seed % 2**32)
    model = build_model(recipe, training_policy(recipe))
    random.setstate(before[0])
    np.random.set_state(before[1])
    if recipe.start_at_mean:
        if all(layer.name != "head" for layer in model.layers):
            raise RunError("start_at_mean needs a last layer named head; this network has none.")
        model.get_layer("head").bias.assign(mean_head_bias(recipe, data.crops))
    return Session(
        recipe=recipe,
        folder=folder,
        model=model,
        network=KerasNetwork(build_model(recipe), recipe.spec),
        faces=data.faces,
        batches=keras_callbacks.batches(data.crops, recipe),
        val_faces=data.val_faces,
        val_crops=data.val_crops,
        observers=observers,
    )


def compile_model(model: Any, recipe: Recipe, phase: Phase) -> None:
    """Give the model a phase's optimizer and the recipe's loss, which skips missing labels."""
    codec, size = recipe.spec.codec, recipe.spec.input_size

    def loss(target: Any, output: Any) -> Any:
        return masked_mean(recipe.loss, codec.activate(output, size), target)[0]

    optimizer = _optimizer(model, phase)
    model.compile(optimizer=optimizer, loss=loss)
    # Its slots exist only then, and a checkpoint fills them before the first step.
    optimizer.build(model.trainable_variables)


def _optimizer(model: Any, phase: Phase) -> Any:
    optim = phase.optim
    if not isinstance(optim, Adam):
        return keras.optimizers.SGD(optim.lr, momentum=optim.momentum)
    betas = {"beta_1": optim.betas[0], "beta_2": optim.betas[1]}
    if not optim.weight_decay:
        return keras.optimizers.Adam(optim.lr, **betas)
    optimizer = keras.optimizers.AdamW(optim.lr, weight_decay=optim.weight_decay, **betas)
    # Norms and biases, which have one axis, are not decayed.
    spared = [variable for variable in model.trainable_variables if len(variable.shape) <= 1]
    optimizer.exclude_from_weight_decay(var_list=spared)
    return optimizer


def _fit_phase(
    session: Session, state: TrainingState, number: int, phase: Phase, continues: bool
) -> None:
    """One phase from its start, or from the checkpoint, to its end."""
    model, folder = session.model, session.folder
    compile_model(model, session.recipe, phase)
    saved: dict[str, np.ndarray] = {}
    if continues:
        saved = _restore(session)
    elif number > 1:
        # A new phase starts from the best weights of the one before.
        model.set_weights(load(folder, session.recipe).model.get_weights())
        # From here on the kept weights may be this phase's own: a resumed run must not start from
        # them again.
        state.phase = number
        session.save(state)
    first = len([row for row in state.history if row["phase"] < number])
    state.last = first + phase.epochs
    while not _is_over(phase, rows := state.history[first:]):
        # An epoch that was stopped in the middle has fewer steps, so it is a fit of its own.
        end = state.epoch + 1 if state.step else first + phase.epochs
        model.fit(
            session.batches.at(state.epoch, state.step),
            initial_epoch=state.epoch,
            epochs=end,
            shuffle=False,
            verbose=0,
            callbacks=keras_callbacks.callbacks(session, state, number, phase, rows, saved),
        )
        saved = {}
        if session.stopped() and not _is_over(phase, state.history[first:]):
            raise Interrupted(state, folder)


def _restore(session: Session) -> dict[str, np.ndarray]:
    """Load the checkpoint's tensors into the model and its optimizer."""
    path = session.folder / run_folder.CHECKPOINT
    saved = checkpoint.load_tensors(path, "np")[0]
    for name, variable in _variables(session.model).items():
        # Names hold positions, so a changed network would get another variable's values.
        if name not in saved or saved[name].shape != tuple(variable.shape):
            raise RunError(
                f"{path} does not fit this network ({name}); "
                "continue with the version that made it, or start anew."
            )
        variable.assign(saved[name])
    return saved


def _is_over(phase: Phase, rows: list[dict[str, float]]) -> bool:
    """True if a phase has had its epochs, or enough of them without a better score."""
    done = bool(rows) and len(rows) >= phase.epochs
    return done or out_of_patience(rows, phase.patience)


def _variables(model: Any) -> dict[str, Any]:
    """All that training changes, by name in a checkpoint.

    By position, since Keras numbers unnamed layers anew.
    """
    weights = {f"model.{i}.{variable.name}": variable for i, variable in enumerate(model.weights)}
    slots = model.optimizer.variables
    return weights | {f"optim.{i}": variable for i, variable in enumerate(slots)}
