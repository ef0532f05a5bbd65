"""Whether a crop shows a face, and which of its points can be seen: a small head beside the points.

It sees the coarsest maps of a trained network, which show the whole crop, how sure its points are,
and the mean features of each point. It is trained after the network, whose points stay as they are
(``training/face_head.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nasion.array_types import Float


class FaceHead(nn.Module):
    """``coarse``: numbers of the coarsest maps. ``channels``: of a point's mean features."""

    def __init__(self, coarse: int, channels: int, points: int, hidden: int = 32) -> None:
        super().__init__()
        self.hidden: nn.Linear = nn.Linear(coarse + points, hidden)
        self.face: nn.Linear = nn.Linear(hidden, 1)
        self.visible: nn.Linear = nn.Linear(hidden, points)
        self.seen: nn.Parameter = nn.Parameter(torch.zeros(points, channels))

    def forward(
        self,
        coarse: Float[Tensor, "B D"],
        log_scale: Float[Tensor, "B K"],
        features: Float[Tensor, "B K C"],
    ) -> tuple[Float[Tensor, "B ..."], Float[Tensor, "B K"]]:
        """Logits: that this is a face, and that each point can be seen."""
        whole = torch.relu(self.hidden(torch.cat([coarse, log_scale], -1)))
        return self.face(whole)[:, 0], self.visible(whole) + (features * self.seen).sum(-1)

    @classmethod
    def of_tensors(cls, tensors: dict[str, Tensor]) -> FaceHead:
        """The head whose state these tensors are."""
        (hidden, inputs), (points, channels) = tensors["hidden.weight"].shape, tensors["seen"].shape
        head = cls(inputs - points, channels, points, hidden)
        head.load_state_dict(tensors)
        return head.eval()
