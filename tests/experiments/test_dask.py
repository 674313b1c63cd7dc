"""Experiments on a Dask cluster of real processes: the same results as here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed")

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = '''
import json
import os
import keras
import numpy as np
from tb_convergence.experiments import ablate, landscape


def where():
    return os.getpid()


def main():
    from distributed import Client, LocalCluster

    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    x = random.normal(size=(256, 8)).astype("float32")
    y = (x[:, 0] > x[:, 1]).astype("int32")
    model = keras.Sequential([
        keras.Input((8,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dropout(0.5),
        keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    options = {"changes": ["without-dropout"], "steps": 20, "seeds": (0, 1)}
    plane = {"points": 9, "pairs": 2, "curvature": False, "progress": False}
    here = ablate(model, x, y, **options)
    drawn = landscape(model, (x, y), **plane)
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True,
                      dashboard_address=None) as cluster, Client(cluster) as client:
        workers = set(client.run(where).values())
        executor = client.get_executor()
        there = ablate(model, x, y, executor=executor, **options)
        shipped = landscape(model, (x, y), executor=executor, **plane)

    def losses(found):
        trials = [*found.unchanged, *(trial for one in found.effects for trial in one.trials)]
        return [trial.losses.tolist() for trial in trials]

    print(json.dumps({
        "processes": len(workers - {os.getpid()}), "values": [here.values, there.values],
        "losses": [losses(here), losses(there)],
        "planes": [one.document()["planes"] for one in (drawn, shipped)],
    }))


if __name__ == "__main__":
    main()
'''


def test_results_do_not_depend_on_the_cluster(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program)], cwd=tmp_path, text=True, capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3",
             "CUDA_VISIBLE_DEVICES": "-1", "TF_NUM_INTRAOP_THREADS": "1",
             # A busy machine takes long to import TensorFlow in a worker.
             "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "600s",
             "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "600s"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["processes"] == 2
    for name in ("values", "losses", "planes"):
        here, there = found[name]
        assert here == there, name
    assert len(found["losses"][0]) == 4
