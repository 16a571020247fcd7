"""The one door to TensorFlow: what it sets before, puts back after, survives, and says when there is nothing behind it.

Most tests open the door on a toy TensorFlow; the last ones start processes with the real one.
"""

import importlib.util
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from statgrid.models import tensorflow_runtime
from statgrid.spatial.errors import Cancelled, MissingDependencyError
from statgrid.spatial.progress import Silent

ROOT = Path(__file__).resolve().parents[2]

TOY = """
import os, sys, time
time.sleep(0.05)
print("noise on standard output")
imports = globals().get("imports", 0) + 1
flags = sys.getdlopenflags() if hasattr(sys, "getdlopenflags") else None
environment = dict(os.environ)
calls = []
started = os.environ.get("TOY_STARTED")
gpus = os.environ.get("TOY_GPUS", "").split()
__version__ = "2.0-toy"

class config:
    class threading:
        def set_intra_op_parallelism_threads(count):
            if started: raise RuntimeError("Intra op parallelism cannot be modified after initialization.")
            calls.append(("intra", count))
        def set_inter_op_parallelism_threads(count):
            if started: raise RuntimeError("Inter op parallelism cannot be modified after initialization.")
            calls.append(("inter", count))
    class experimental:
        def enable_op_determinism(): calls.append("deterministic")
        def set_memory_growth(gpu, wanted):
            if started: raise RuntimeError("Physical devices cannot be modified after being initialized")
            calls.append((gpu, wanted))
    def list_physical_devices(kind): return gpus
"""
TOY_KERAS = """
import os
__version__ = "3.0-toy"
class backend:
    def backend(): return os.environ["KERAS_BACKEND"]
"""
VARIABLES = ("TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND", "TOY_STARTED", "TOY_GPUS")


@pytest.fixture
def door(monkeypatch, tmp_path):
    """A runtime module nobody has used yet, in a process that has no TensorFlow at all."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tensorflow", "keras")]:
        monkeypatch.delitem(sys.modules, name)
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that what the runtime sets is taken back after the test
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(entry for entry in sys.path if "packages" not in entry)])
    for name in ("tensorflow", "absl"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
    origin = tensorflow_runtime.__spec__.origin
    spec = importlib.util.spec_from_file_location("statgrid.models.unused_tensorflow_runtime", origin)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    importlib.invalidate_caches()
    yield module
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tensorflow", "keras")]:
        del sys.modules[name]


def install(folder, tensorflow=TOY, keras=TOY_KERAS):
    for name, text in (("tensorflow", tensorflow), ("keras", keras)):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(text, encoding="utf-8")
    importlib.invalidate_caches()


# --- nothing there, or nothing usable ------------------------------------------------------------------------------


def test_not_available_when_nothing_is_installed(door):
    assert door.is_available() is False


def test_a_folder_that_an_uninstall_left_behind_is_no_tensorflow(door, tmp_path):
    (tmp_path / "tensorflow").mkdir()
    assert door.is_available() is False


def test_a_module_without_a_spec_does_not_upset_the_question(door, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert door.is_available() is False


def test_available_is_asked_without_importing(door, tmp_path):
    install(tmp_path)
    assert door.is_available() is True
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize("name", ["tensorflow", "keras"])
def test_missing_says_the_way_out(door, name):
    with pytest.raises(MissingDependencyError) as caught:
        getattr(door, name)()
    assert str(caught.value) == door.how_to_install()


def test_the_way_out_is_one_sentence_with_three_doors(door):
    sentence = door.how_to_install()
    assert all(way in sentence for way in ("QPIP", "make install", "pip install"))
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert ". " not in sentence


@pytest.mark.parametrize("error", ["ImportError", "AttributeError", "TypeError"])
def test_a_broken_installation_is_told_with_its_own_words_and_tried_once(door, tmp_path, error):
    (tmp_path / "attempts").write_text("", encoding="utf-8")
    attempts = repr(str(tmp_path / "attempts"))
    install(tmp_path, f"open({attempts}, 'a').write('x')\nraise {error}('DLL load failed: specified module not found')")
    for _ in range(2):
        with pytest.raises(MissingDependencyError, match="DLL load failed: specified module not found"):
            door.tensorflow()
    assert (tmp_path / "attempts").read_text(encoding="utf-8") == "x"


# --- what it sets, and puts back -----------------------------------------------------------------------------------

deep_binding = pytest.mark.skipif(not hasattr(os, "RTLD_DEEPBIND"), reason="Linux only")


@deep_binding
def test_imports_under_deep_binding_and_puts_the_flags_back(door, tmp_path):
    install(tmp_path)
    before = sys.getdlopenflags()
    assert door.tensorflow().flags == os.RTLD_NOW | os.RTLD_DEEPBIND
    assert sys.getdlopenflags() == before


@deep_binding
def test_puts_the_flags_back_when_the_import_fails(door, tmp_path):
    install(tmp_path, "raise ImportError('no')")
    before = sys.getdlopenflags()
    with pytest.raises(MissingDependencyError):
        door.tensorflow()
    assert sys.getdlopenflags() == before


def test_sets_the_environment_before_the_import(door, tmp_path):
    install(tmp_path)
    environment = door.tensorflow().environment
    assert environment["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert environment["TF_CPP_MIN_LOG_LEVEL"] == "3"
    assert environment["KERAS_BACKEND"] == "tensorflow"


def test_leaves_the_users_own_environment_alone(door, tmp_path, monkeypatch):
    install(tmp_path)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    assert door.tensorflow().environment["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_an_operation_runs_on_one_thread_and_all_is_deterministic(door, tmp_path):
    install(tmp_path)
    assert {"deterministic", ("intra", 1), ("inter", 2)} <= set(door.tensorflow().calls)
    assert door.limitations() == []


def test_graphics_memory_grows_as_needed(door, tmp_path, monkeypatch):
    install(tmp_path)
    monkeypatch.setenv("TOY_GPUS", "gpu:0 gpu:1")
    assert {("gpu:0", True), ("gpu:1", True)} <= set(door.tensorflow().calls)


def test_goes_on_when_another_plugin_started_tensorflow_and_remembers_it(door, tmp_path, monkeypatch):
    install(tmp_path)
    monkeypatch.setenv("TOY_STARTED", "yes")
    monkeypatch.setenv("TOY_GPUS", "gpu:0")
    assert "deterministic" in door.tensorflow().calls
    assert len(door.limitations()) == 3
    assert "cannot be modified after initialization" in door.limitations()[0]


def test_python_logging_is_quiet(door, tmp_path):
    install(tmp_path)
    door.tensorflow()
    assert logging.getLogger("tensorflow").level == logging.getLogger("absl").level == logging.ERROR


def test_keras_comes_by_the_same_door(door, tmp_path):
    install(tmp_path)
    assert door.keras() is sys.modules["keras"]


def test_keras_on_another_backend_is_refused_with_the_way_out(door, tmp_path, monkeypatch):
    install(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(MissingDependencyError, match=r"(?s)torch.*KERAS_BACKEND"):
        door.keras()


def test_versions_name_only_what_is_loaded(door, tmp_path):
    install(tmp_path)
    assert "tensorflow" not in door.versions()
    door.tensorflow()
    versions = door.versions()
    assert (versions["tensorflow"], versions["keras"]) == ("2.0-toy", "3.0-toy")
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))


# --- threads and missing streams -----------------------------------------------------------------------------------


def test_many_threads_get_one_import(door, tmp_path):
    install(tmp_path)
    got = []
    threads = [threading.Thread(target=lambda: got.append(door.tensorflow())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(map(id, got))) == 1
    assert got[0].calls.count("deterministic") == 1


def test_missing_streams_are_survived_during_import_and_use(door, tmp_path, monkeypatch):
    install(tmp_path, TOY + "\nsys.stdout.write('to None?'); sys.stderr.flush()")
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    door.tensorflow()
    sys.stdout = sys.stderr = None
    with door.exclusive():
        sys.stdout.write("Epoch 1/1 ▇".encode(sys.stdout.encoding).decode())
        sys.stderr.flush()


def test_streams_that_are_there_stay(door, tmp_path, capsys):
    install(tmp_path)
    before = sys.stdout, sys.stderr
    with door.exclusive():
        door.tensorflow()
    assert (sys.stdout, sys.stderr) == before


class Holder:
    """Another thread that uses TensorFlow, until told to stop."""

    def __init__(self, door):
        self.inside, self.release = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.hold, args=(door,))
        self.thread.start()
        self.inside.wait(2)

    def hold(self, door):
        with door.exclusive():
            self.inside.set()
            self.release.wait(5)

    def stop(self):
        self.release.set()
        self.thread.join()


def test_exclusive_keeps_others_out_and_lets_the_same_thread_in_again(door):
    holder = Holder(door)
    assert not door.LOCK.acquire(blocking=False)
    holder.stop()
    with door.exclusive(), door.exclusive():
        assert door.LOCK.acquire(blocking=False)
        door.LOCK.release()


def test_waiting_for_ones_turn_can_be_cancelled(door):
    holder, progress = Holder(door), Silent()
    progress.cancelled = True
    start = time.monotonic()
    with pytest.raises(Cancelled), door.exclusive(progress):
        pass
    assert time.monotonic() - start < 1
    holder.stop()
    assert door.LOCK.acquire(blocking=False)
    door.LOCK.release()


def test_asking_for_the_loaded_module_waits_for_nobody(door, tmp_path):
    install(tmp_path)
    door.tensorflow()
    holder, got = Holder(door), []
    asker = threading.Thread(target=lambda: got.append(door.tensorflow()))
    asker.start()
    asker.join(1)
    assert got
    holder.stop()


def test_the_lock_is_free_after_an_error(door):
    with pytest.raises(ZeroDivisionError), door.exclusive():
        raise ZeroDivisionError
    assert door.LOCK.acquire(blocking=False)
    door.LOCK.release()


# --- the real TensorFlow, beside the real QGIS ---------------------------------------------------------------------

OPEN_THE_DOOR = f"""
import importlib.util, os, sys
root = {str(ROOT)!r}
spec = importlib.util.spec_from_file_location("statgrid", root + "/__init__.py", submodule_search_locations=[root])
package = importlib.util.module_from_spec(spec); sys.modules["statgrid"] = package; spec.loader.exec_module(package)
from statgrid.models import tensorflow_runtime as door
"""

TRAIN = """
import hashlib, json
with door.exclusive():
    tf, keras = door.tensorflow(), door.keras()
    keras.utils.set_random_seed(42)
    x = tf.random.stateless_normal((96, 4, 4, 3), seed=(1, 2)); y = tf.reduce_sum(x, axis=(1, 2, 3))[:, None]
    model = keras.Sequential([keras.layers.Input((4, 4, 3)), keras.layers.Conv2D(16, 2), keras.layers.Flatten(),
                              keras.layers.Dense(32, "relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    before = float(model.evaluate(x, y, verbose=0)); model.fit(x, y, epochs=3, batch_size=32, verbose=VERBOSE)
    after = float(model.evaluate(x, y, verbose=0))
answer = dict(before=before, after=after, limitations=door.limitations(), versions=door.versions(),
              digest=hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())
"""

IN_QGIS = (
    """
import os, sys
# As in QGIS itself, where its libraries, and with them another HDF5 and protobuf, are in everybody's view.
if hasattr(sys, "setdlopenflags"):
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)
from qgis.core import QgsApplication
if hasattr(sys, "setdlopenflags"):
    sys.setdlopenflags(os.RTLD_NOW)
application = QgsApplication([], False); application.initQgis()
sys.stdout = sys.stderr = None
"""
    + OPEN_THE_DOOR
    + TRAIN.replace("VERBOSE", "1")
    + """
import h5py
with h5py.File("weights.h5", "w") as file:
    file["w"] = model.get_weights()[0]; file["name"] = "a text"
with h5py.File("weights.h5") as file:
    answer["read"] = bool((file["w"][:] == model.get_weights()[0]).all()) and file["name"][()].decode()
model.save("model.keras")
answer["same"] = bool((keras.models.load_model("model.keras")(x).numpy() == model(x).numpy()).all())
json.dump(answer, open("answer.json", "w"))
application.exitQgis()
"""
)

AFTER_ANOTHER_PLUGIN = (
    """
import os
os.environ.update(TF_ENABLE_ONEDNN_OPTS="0", TF_CPP_MIN_LOG_LEVEL="3")
import tensorflow
tensorflow.config.threading.set_intra_op_parallelism_threads(4)
tensorflow.config.threading.set_inter_op_parallelism_threads(4)
tensorflow.constant(1) + 1
"""
    + OPEN_THE_DOOR
    + TRAIN.replace("VERBOSE", "0")
    + 'json.dump(answer, open("answer.json", "w"))'
)

needs_tensorflow = pytest.mark.skipif(not tensorflow_runtime.is_available(), reason="TensorFlow is not installed")


def run(code, folder):
    """What a process of its own answers to `code`, and what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environment.update(QT_QPA_PLATFORM="offscreen", XDG_RUNTIME_DIR=str(folder), PYTHONWARNINGS="ignore::DeprecationWarning")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "answer.json").read_text(encoding="utf-8")), done.stdout + done.stderr


@pytest.fixture(scope="module")
def inside_qgis(tmp_path_factory):
    pytest.importorskip("qgis.core")
    return run(IN_QGIS, tmp_path_factory.mktemp("inside"))


@needs_tensorflow
def test_inside_qgis_tensorflow_trains_and_hdf5_works(inside_qgis):
    answer, _ = inside_qgis
    assert answer["after"] < answer["before"]
    assert answer["read"] == "a text"
    assert answer["same"]
    assert answer["limitations"] == []
    assert set(answer["versions"]) >= {"python", "numpy", "tensorflow", "keras"}


@needs_tensorflow
def test_inside_qgis_nothing_is_printed(inside_qgis):
    _, printed = inside_qgis
    assert printed == ""


@needs_tensorflow
def test_the_same_seed_gives_the_same_numbers_whoever_chose_the_threads(inside_qgis, tmp_path):
    answer, printed = run(AFTER_ANOTHER_PLUGIN, tmp_path)
    assert len(answer["limitations"]) == 2
    assert answer["digest"] == inside_qgis[0]["digest"]
    assert printed == ""
