"""Progress: slices of a run, kept warnings, cancel."""

import pytest
from statgrid.spatial.errors import Cancelled, StatGridError
from statgrid.spatial.progress import Part, Quiet, Recorder, Silent, stop_if_cancelled


def test_a_part_of_a_part_reports_its_slice():
    whole = Silent()
    inner = Part(Part(whole, 50, 100), 0, 20)
    seen = []
    for percent in (0, 50, 100):
        inner.setProgress(percent)
        seen.append(whole.percent)
    assert seen == [50, 55, 60]


def test_a_part_passes_messages_and_cancel_on():
    whole = Silent()
    part = Part(whole, 0, 10)
    part.pushInfo("known")
    part.pushWarning("act")
    assert (whole.infos, whole.warnings) == (["known"], ["act"])
    stop_if_cancelled(part)
    whole.cancelled = True
    with pytest.raises(Cancelled, match="nothing was written"):
        stop_if_cancelled(part)


def test_a_recorder_keeps_warnings_of_its_parts_too():
    whole = Silent()
    recorder = Recorder(whole)
    recorder.pushWarning("one")
    Part(recorder, 0, 50).pushWarning("two")
    recorder.setProgress(40)
    assert recorder.warnings == whole.warnings == ["one", "two"]
    assert whole.percent == 40


def test_quiet_work_tells_how_far_it_is_and_nothing_else():
    whole = Silent()
    quiet = Quiet(whole, 20, 40)
    quiet.pushInfo("known")
    Part(quiet, 0, 50).pushWarning("told before")
    quiet.setProgress(50)
    assert (whole.infos, whole.warnings, whole.percent) == ([], [], 30)
    whole.cancelled = True
    with pytest.raises(Cancelled):
        stop_if_cancelled(quiet)


def test_cancelled_belongs_to_the_one_error_tree():
    assert issubclass(Cancelled, StatGridError)
