"""What many devices ask at once is done in one piece, and each gets its own answer or its own error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from portal.agents.gathering import MOST, Gathering, tried
from portal.threads import Threads
from storage.control.errors import RefusedError, UnavailableError


@pytest.fixture
def threads() -> Iterator[Threads]:
    made = Threads()
    yield made
    made.close()


def test_what_comes_meanwhile_is_one_piece_of_bounded_size(threads: Threads) -> None:
    async def scene() -> None:
        pieces: list[int] = []

        def work(asked: Sequence[int]) -> list[int | Exception]:
            pieces.append(len(asked))
            return [2 * item for item in asked]

        gathering: Gathering[int, int] = Gathering(threads, work)
        answers = await asyncio.gather(*(gathering.ask(number) for number in range(MOST + 3)))
        assert answers == [2 * number for number in range(MOST + 3)]
        assert pieces == [MOST, 3]
        assert await gathering.ask(21) == 42

    asyncio.run(scene())


def test_a_request_that_fails_takes_no_other_with_it(threads: Threads) -> None:
    async def scene() -> None:
        def half(number: int) -> int:
            if number % 2:
                raise RefusedError("odd", f"{number} is odd")
            return number // 2

        gathering: Gathering[int, int] = Gathering(threads, lambda asked: [tried(half, item) for item in asked])
        first, second = await asyncio.gather(gathering.ask(4), gathering.ask(5), return_exceptions=True)
        assert first == 2
        assert isinstance(second, RefusedError)

    asyncio.run(scene())


def test_a_piece_that_fails_as_a_whole_fails_for_each_and_the_next_one_is_done(threads: Threads) -> None:
    async def scene() -> None:
        full = [True]

        def store(number: int) -> int:
            if full[0]:
                raise UnavailableError("storage_full", "the disk is full")
            return number

        gathering: Gathering[int, int] = Gathering(threads, lambda asked: [tried(store, item) for item in asked])
        said = await asyncio.gather(gathering.ask(1), gathering.ask(2), return_exceptions=True)
        assert [type(item) for item in said] == [UnavailableError, UnavailableError]
        full[0] = False
        assert await gathering.ask(3) == 3

    asyncio.run(scene())


def test_who_has_gone_is_not_waited_for(threads: Threads) -> None:
    async def scene() -> None:
        gathering: Gathering[int, int] = Gathering(threads, list)
        gone = asyncio.create_task(gathering.ask(1))
        staying = asyncio.create_task(gathering.ask(2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await staying == 2
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(scene())
