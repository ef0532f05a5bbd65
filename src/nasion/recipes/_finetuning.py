"""How fine-tuning depends on the number of faces, and on the network that it starts from."""

from dataclasses import replace

from nasion.model_spec import ModelSpec
from nasion.models.architectures import Architecture
from nasion.models.codecs import Anchors, Codec
from nasion.models.losses import GuidedLikelihood, LaplaceLikelihood, Loss, squared_error
from nasion.recipe import Recipe

_FEWEST, _PER_FACE = 3000, 50  # faces shown in all: at least, and for each training face
_LARGE = 400  # training faces from which on batches are twice as large
_EPOCHS = 20
_DISTILLATION = 0.3  # of few faces (LOG.md)


def adapt(recipe: Recipe, faces: int, spec: ModelSpec, architecture: Architecture) -> Recipe:
    """The recipe for so many training faces, with the spec and network that training starts from.

    ``spec``: with the data's scheme. Both are the recipe's if ``init_from`` is None.
    """
    shown = _FEWEST + _PER_FACE * faces
    return replace(
        recipe,
        spec=spec,
        architecture=architecture,
        loss=_loss_for(spec.codec),
        distillation=_DISTILLATION if faces < _LARGE and recipe.init_from else 0.0,
        batch_size=32 if faces >= _LARGE else 16,
        epochs=_EPOCHS,
        repeats=max(1, round(shown / (_EPOCHS * faces))),
    )


def _loss_for(codec: Codec) -> Loss:
    """The loss that fits what the network outputs."""
    if isinstance(codec, Anchors):
        return GuidedLikelihood(share=2.0) if codec.guided else LaplaceLikelihood()
    numbers = codec.stride is None
    return LaplaceLikelihood() if numbers and codec.predicts_sigma else squared_error
