"""The metrics of workers that begin or die at the moment when they are asked for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from web import metrics

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def _begin(file: Path) -> None:
    values = MmapedDict(str(file))
    values.write_value(mmap_key("calls", "calls_total", [], [], "Calls"), 3.0, 0.0)
    values.close()


def test_a_worker_that_has_only_just_made_its_file_is_waited_for(folder: Path) -> None:
    file = folder / "counter_101.db"
    file.touch()

    def fill() -> None:
        time.sleep(0.02)
        _begin(file)

    threading.Thread(target=fill).start()
    assert b"calls_total 3.0" in metrics.exposition()[0]


def test_a_worker_that_died_before_it_wrote_anything_is_forgotten(folder: Path) -> None:
    _begin(folder / "counter_101.db")
    (folder / "counter_102.db").touch()
    (folder / "gauge_livemin_102.db").touch()
    metrics.forget(102)
    assert b"calls_total 3.0" in metrics.exposition()[0]
    assert [each.name for each in folder.iterdir()] == ["counter_101.db"]


def test_what_a_dead_worker_has_counted_stays(folder: Path) -> None:
    _begin(folder / "counter_101.db")
    metrics.forget(101)
    assert b"calls_total 3.0" in metrics.exposition()[0]
