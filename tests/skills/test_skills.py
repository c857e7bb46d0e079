"""Skills: declared for the model, checked against what models really send."""

from parleyd.skills import SkillBook
from parleyd.skills.timers import LONGEST_S, MOST, Timers
from parleyd.skills.volume import LOWEST_PERCENT, Volume


def test_every_skill_is_declared_with_a_schema() -> None:
    book = SkillBook([*Volume(70, lambda percent: None).skills(), *Timers().skills()])
    declared = {tool["name"]: tool for tool in book.tools()}
    assert set(declared) == {"set_volume", "change_volume", "set_timer", "cancel_timers"}
    for tool in declared.values():
        assert tool["type"] == "function"
        assert tool["parameters"]["type"] == "object"
        assert set(tool["parameters"].get("required", [])) <= set(tool["parameters"]["properties"])


def test_volume_is_set_changed_and_never_lost() -> None:
    applied: list[int] = []
    book = SkillBook(Volume(70, applied.append).skills())
    assert "30" in book.call("set_volume", {"percent": 30}, 0.0)
    book.call("change_volume", {"steps": 2}, 0.0)
    book.call("change_volume", {"steps": -10}, 0.0)
    book.call("set_volume", {"percent": 100.0}, 0.0)
    book.call("change_volume", {"steps": 10}, 0.0)
    assert applied == [30, 50, LOWEST_PERCENT, 100, 100]


def test_what_models_get_wrong_is_told_in_words() -> None:
    applied: list[int] = []
    timers = Timers()
    book = SkillBook([*Volume(70, applied.append).skills(), *timers.skills()])
    for arguments in ({}, {"percent": "loud"}, {"percent": True}, {"percent": 101}):
        assert "percent must be" in book.call("set_volume", arguments, 0.0)
    assert "seconds must be" in book.call("set_timer", {"seconds": LONGEST_S + 1}, 0.0)
    assert "no function dance" in book.call("dance", {}, 0.0)
    assert applied == []


def test_timers_ring_once_in_time_and_by_name() -> None:
    timers = Timers()
    book = SkillBook(timers.skills())
    book.call("set_timer", {"seconds": 60, "name": "eggs"}, 100.0)
    book.call("set_timer", {"seconds": 5}, 100.0)
    assert timers.due(104.9) == []
    assert [t.name for t in timers.due(105.0)] == [""]
    assert [t.name for t in timers.due(1000.0)] == ["eggs"]
    assert timers.due(2000.0) == []


def test_timers_are_bounded_and_cancelled_together() -> None:
    timers = Timers()
    book = SkillBook(timers.skills())
    for _ in range(MOST):
        book.call("set_timer", {"seconds": 10}, 0.0)
    assert "cancel them first" in book.call("set_timer", {"seconds": 10}, 0.0)
    assert f"{MOST} timers" in book.call("cancel_timers", {}, 1.0)
    assert timers.due(100.0) == []
