from benchmarks.figures import Better, Figure, Section
from benchmarks.report import Run, lines, markdown


def run(*, is_quick=False):
    return Run("2026-01-02 03:04 UTC", "python -m benchmarks", ["processor: a"], 61.4, is_quick)


def section(*figures):
    return Section("Hop", "to know", "by measuring", list(figures), ["10 samples"])


MISSED = Figure("wait, p50", 4.0, "ms", 2.0, ratio_max=1.5)
MET = Figure("events", 50_000.4, "/s", 60_000.0, Better.HIGHER, value_aim=20_000)


def test_the_file_names_when_where_and_how():
    text = markdown(run(), [section(MET)])

    assert "- date: 2026-01-02 03:04 UTC" in text
    assert "- command: `python -m benchmarks`" in text
    assert "- processor: a" in text
    assert "- the run took 61 s" in text
    assert "What for: to know" in text
    assert "How: by measuring" in text
    assert "- 10 samples" in text


def test_a_missed_aim_stands_out():
    text = markdown(run(), [section(MISSED, MET)])

    assert "| wait, p50 | 4.00 ms | 2.00 ms | 2.00 | at most 1.5 x the floor | **no** |" in text
    assert "| events | 50,000 /s | 60,000 /s | 1.20 | at least 20,000 /s | yes |" in text
    assert "MISSED" in "\n".join(lines(section(MISSED)))
    assert "MISSED" not in "\n".join(lines(section(MET)))


def test_a_figure_without_floor_or_aim_leaves_its_cells_empty():
    text = markdown(run(), [section(Figure("size", 3.0, "MB"))])

    assert "| size | 3.00 MB |  |  |  |  |" in text


def test_a_quick_run_says_that_it_is_none():
    assert "quick run" in markdown(run(is_quick=True), [])
    assert "quick run" not in markdown(run(), [])
