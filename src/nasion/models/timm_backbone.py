"""Any network of the ``timm`` package with one linear layer at its end; the package is imported only when one is built."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nasion.errors import SettingError


@dataclass(frozen=True)
class TimmBackbone:
    """``name`` as timm lists it, ``pretrained`` with the weights that timm downloads, ``sigmoid`` to keep outputs in 0 .. 1."""

    name: str = "resnet18"
    pretrained: bool = False
    sigmoid: bool = False

    def build(self, outputs: int, size: tuple[int, int] = (96, 96), channels: int = 1) -> nn.Module:
        """A network with ``outputs`` numbers per picture. Raises ``SettingError`` where timm is not installed or lacks the name."""
        try:
            import timm  # pyright: ignore[reportMissingImports]
        except (ImportError, RuntimeError) as error:
            remedy = "install it: pip install 'nasion[timm]'"
            raise SettingError(f"model {self.name} comes from timm, which cannot be imported ({error}); {remedy}") from error
        try:
            body = timm.create_model(self.name, pretrained=self.pretrained, in_chans=channels, num_classes=0)
        except (RuntimeError, OSError) as error:
            remedy = "timm.list_models(pretrained=True) names those it has with weights, which it downloads; or set model.pretrained=false"
            raise SettingError(f"timm cannot make model {self.name!r} with pretrained={self.pretrained} ({error}); {remedy}.") from error
        return _Network(body, outputs, self.sigmoid)


class _Network(nn.Module):
    def __init__(self, body: nn.Module, outputs: int, sigmoid: bool) -> None:
        super().__init__()
        self.body = body
        # Some bodies widen once more after their last map.
        features = getattr(body, "head_hidden_size", None) or getattr(body, "num_features")  # noqa: B009
        self.head = nn.Linear(int(features), outputs)
        self.limit = nn.Sigmoid() if sigmoid else nn.Identity()

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B outputs"]:
        features = self.body(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.limit(self.head(features.float()))
