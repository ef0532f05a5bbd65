"""Clients take turns at the workers, so that one with much work does not keep others waiting."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque


class Turns:
    """``count`` places to work at, used from the event loop's thread alone.

    Whoever waits gets a place in the order of arrival among the work of one client, and in rotation
    among clients.
    """

    def __init__(self, count: int) -> None:
        # Above 0 only while nobody waits.
        self._free = count
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def take(self, client: str) -> None:
        """Wait for a place; whoever took it calls ``give_back``."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # It may have come in the very moment in which it was given up.
            if not turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """Hand the place to the next client that waits."""
        while self._waiting:
            client, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[client] = queue  # at the end
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
