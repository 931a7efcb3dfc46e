"""TimerQueue against a plain dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastpptp.timers import TimerQueue

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["set", "cancel", "due"]),
        st.integers(0, 8),
        st.integers(0, 40).map(float),
    ),
    max_size=80,
)


@given(OPERATIONS)
def test_it_is_a_dictionary_with_a_least_value(operations: list[tuple[str, int, float]]) -> None:
    queue: TimerQueue[int] = TimerQueue()
    model: dict[int, float] = {}
    for operation, key, time in operations:
        if operation == "set":
            queue.set(key, time)
            model[key] = time
        elif operation == "cancel":
            queue.cancel(key)
            model.pop(key, None)
        else:
            due = list(queue.due(time))
            assert sorted(due) == sorted(key for key, at in model.items() if at <= time)
            assert [model[key] for key in due] == sorted(model[key] for key in due)
            for key in due:
                del model[key]
        assert queue.next() == min(model.values(), default=None)
        assert len(queue) == len(model)


def test_none_cancels() -> None:
    queue: TimerQueue[str] = TimerQueue()
    queue.set("a", 5.0)
    queue.set("a", None)
    assert queue.next() is None
    assert len(queue) == 0


def test_moving_a_deadline_on_leaves_no_trail() -> None:
    queue: TimerQueue[str] = TimerQueue()
    for step in range(10_000):
        queue.set("busy", float(step))
    assert len(queue._heap) == 1
    assert queue.next() == 9999.0


def test_moving_a_deadline_back_and_forth_is_bounded() -> None:
    queue: TimerQueue[int] = TimerQueue()
    for step in range(10_000):
        queue.set(step % 7, float(10_000 - step))
        queue.cancel(step % 5)
    assert len(queue._heap) < 200


def test_sixty_thousand_idle_deadlines_are_not_walked() -> None:
    queue: TimerQueue[int] = TimerQueue()
    for key in range(60_000):
        queue.set(key, 1e6 + key)
    queue.set(-1, 1.0)
    assert list(queue.due(2.0)) == [-1]
    assert queue.next() == 1e6
