"""The training loop: it learns, repeats itself, notices the dead, and stops when told."""

import threading
import time

import numpy as np
import pytest
from statgrid.models import indicator_matrix_cnn as cnn
from statgrid.models import tensorflow_runtime, training
from statgrid.models.training import TrainingSettings, fit, fit_alive, split
from statgrid.spatial.errors import Cancelled, InputError, TrainingError
from statgrid.spatial.progress import Silent


def samples(count=8, seed=0):
    random = np.random.default_rng(seed)
    return cnn.to_matrix(random.random((count, 9))), random.random(count)


def small(seed):
    """A network that TensorFlow traces quickly: the loop is the same for all."""
    keras = tensorflow_runtime.keras()
    start = [keras.initializers.GlorotUniform(seed=2 * seed + k) for k in range(2)]
    matrix = keras.Input((4, 4, 1))
    x = keras.layers.Dense(8, "relu", kernel_initializer=start[0])(keras.layers.Flatten()(matrix))
    return keras.Model(matrix, keras.layers.Dense(1, kernel_initializer=start[1])(x))


def train(iterations=60, seed=7, data=None, held_out=None, progress=None, build=small):
    network = build(seed)
    settings = TrainingSettings(iterations=iterations, learning_rate=0.01, seed=seed)
    return network, fit(network, data or samples(), held_out, settings, progress or Silent())


def same_weights(one, other):
    return all((a == b).all() for a, b in zip(one.get_weights(), other.get_weights()))


def dead(seed):
    """A network that can only say one thing: its last kernel is 0 and the ReLUs before it never fire."""
    network = small(seed)
    weights = network.get_weights()
    weights[-3][:], weights[-2][:] = -100, 0
    network.set_weights(weights)
    return network


# Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iterations", 0),
        ("iterations", 10**7),
        ("learning_rate", 0),
        ("learning_rate", 2),
        ("learning_rate", float("nan")),
        ("validation_share", -0.1),
        ("validation_share", 1.0),
        ("ensemble", 0),
        ("ensemble", 51),
        ("seed", -1),
        ("seed", 2**31),
    ],
)
def test_settings_out_of_range_are_refused_by_name_and_value(name, value):
    with pytest.raises(InputError, match=rf"^{name.upper()} is {value}; it must lie between"):
        TrainingSettings(**{name: value})


# The split


@pytest.mark.parametrize(("count", "share", "number"), [(10, 0.3, 3), (88, 0.3, 26), (5, 0.01, 1), (3, 0.9, 2), (7, 0, 0)])
def test_the_split_has_its_size_and_leaves_something_on_both_sides(count, share, number):
    held_out = split(count, share, 1)
    assert (held_out.shape, held_out.sum()) == ((count,), number)


def test_the_split_hangs_on_the_seed():
    np.testing.assert_array_equal(split(40, 0.3, 1), split(40, 0.3, 1))
    assert (split(40, 0.3, 1) != split(40, 0.3, 2)).any()


# Learning


def test_eight_samples_are_learnt_by_heart():
    inputs, targets = samples()
    network, history = train(600, data=(inputs, targets), build=cnn.build)
    assert history.training[-1] < 1e-3 < history.training[0]
    np.testing.assert_allclose(network(inputs).numpy()[:, 0], targets, atol=0.1)


def test_the_first_loss_is_the_mean_squared_error_before_any_step():
    inputs, targets = samples()
    before = small(7)(inputs).numpy()[:, 0]
    _, history = train(1, data=(inputs, targets))
    assert history.training.tolist() == [pytest.approx(np.mean((before - targets) ** 2), rel=1e-5)]


def test_the_history_has_a_loss_an_iteration_and_validation_where_measured():
    _, history = train(120, held_out=samples(3, seed=1))
    assert history.training.shape == history.validation.shape == (120,)
    assert np.isfinite(history.training).all()
    assert np.flatnonzero(np.isfinite(history.validation)).tolist() == [49, 99, 119]
    assert np.isnan(train(10)[1].validation).all()


def test_held_out_samples_change_no_weight():
    assert same_weights(train()[0], train(held_out=samples(5, seed=9))[0])


def test_same_seed_same_weights_and_another_seed_others():
    one = train(build=cnn.build)[0]
    assert same_weights(one, train(build=cnn.build)[0])
    assert not same_weights(one, train(5, seed=8, build=cnn.build)[0])


def test_two_trainings_in_two_threads_end_as_they_would_alone():
    alone = [train(seed=s)[0] for s in (1, 2)]
    found = {}
    threads = [threading.Thread(target=lambda s=s: found.update({s: train(seed=s)[0]})) for s in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert same_weights(found[1], alone[0])
    assert same_weights(found[2], alone[1])


# Dead runs


def test_a_dead_run_is_told_and_replaced_by_another_seed():
    tried, progress = [], Silent()

    def build(seed):
        tried.append(seed)
        return dead(seed) if len(tried) == 1 else small(seed)

    settings = TrainingSettings(iterations=50, seed=5)
    network, history, seed = fit_alive(build, samples(), None, settings, progress)
    assert tried == [5, seed]
    assert seed != 5
    assert "seed 5 died" in progress.infos[0]
    assert np.std(network(samples()[0]).numpy()) > 0
    assert history.training.shape == (50,)


def test_a_run_that_left_the_numbers_is_dead_too():
    def build(seed):
        network = small(seed)
        if seed == 5:
            network.set_weights([np.full_like(w, np.nan) for w in network.get_weights()])
        return network

    assert fit_alive(build, samples(), None, TrainingSettings(iterations=20, seed=5), Silent())[2] != 5


def test_when_all_runs_die_the_user_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(training, "MAX_RESEEDS", 2)
    with pytest.raises(TrainingError, match=r"3 runs .* Lower LEARNING_RATE \(now 0.01\)"):
        fit_alive(dead, samples(), None, TrainingSettings(iterations=5), Silent())


def test_equal_targets_are_no_sign_of_death():
    inputs, targets = samples()
    settings = TrainingSettings(iterations=20, seed=5)
    assert fit_alive(small, (inputs, np.full_like(targets, 0.5)), None, settings, Silent())[2] == 5


# Cancel and progress


def test_cancelled_before_it_began_it_does_nothing():
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        train(progress=progress)


def test_cancel_is_obeyed_within_a_second():
    progress, stopped = Silent(), []

    def work():
        try:
            train(1_000_000, progress=progress)
        except Cancelled:
            stopped.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    while not progress.percent:
        time.sleep(0.01)
    asked, progress.cancelled = time.monotonic(), True
    thread.join(30)
    assert stopped[0] - asked < 1


def test_progress_rises_to_the_end():
    seen = []
    progress = Silent()
    progress.setProgress = seen.append
    train(120, progress=progress)
    assert seen == pytest.approx([100 * 50 / 120, 100 * 100 / 120, 100])
