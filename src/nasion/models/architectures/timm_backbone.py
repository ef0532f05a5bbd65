"""Any network of the ``timm`` package with a linear head; imported only when one is built."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nasion.array_types import Float, Float32
from nasion.errors import SettingError
from nasion.models.architectures._head import logit


@dataclass(frozen=True)
class TimmBackbone:
    """``name`` as timm lists it. ``pretrained``: with the weights that timm downloads.

    ``sigmoid``: outputs between 0 and 1.
    """

    name: str = "resnet18"
    pretrained: bool = False
    sigmoid: bool = False

    def build(self, outputs: int, size: tuple[int, int] = (96, 96), channels: int = 1) -> nn.Module:
        """A network with ``outputs`` numbers per image.

        Raises ``SettingError`` if timm is not installed or does not have the name.
        """
        try:
            import timm  # pyright: ignore[reportMissingImports]
        except (ImportError, RuntimeError) as error:
            raise SettingError(
                f"Architecture {self.name} comes from timm, which cannot be imported ({error}); "
                "install it: pip install 'nasion[timm]'"
            ) from error
        try:
            body = timm.create_model(
                self.name, pretrained=self.pretrained, in_chans=channels, num_classes=0
            )
        except (RuntimeError, OSError) as error:
            raise SettingError(
                f"timm cannot make {self.name!r} with pretrained={self.pretrained} ({error}); "
                "timm.list_models(pretrained=True) names those that it has weights for and "
                "downloads; or set architecture.pretrained=false."
            ) from error
        return _Network(body, outputs, self.sigmoid)

    def head_bias(self, outputs: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
        return logit(outputs) if self.sigmoid else outputs


class _Network(nn.Module):
    def __init__(self, body: nn.Module, outputs: int, sigmoid: bool) -> None:
        super().__init__()
        self.body = body
        # Some bodies widen once more after their last map.
        features = getattr(body, "head_hidden_size", None)
        features = features or getattr(body, "num_features")  # noqa: B009
        self.head = nn.Linear(int(features), outputs)
        self.limit = nn.Sigmoid() if sigmoid else nn.Identity()

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B outputs"]:
        features = self.body(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.limit(self.head(features.float()))
