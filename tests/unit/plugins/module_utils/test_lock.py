"""The lock that keeps two runs apart."""

import multiprocessing
import os
import signal

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.lock import Held, hold

OWNER = {"person": "ada", "controller": "head", "since": "10:31"}


def test_a_second_run_is_told_whose_the_host_is(tmp_path):
    path = str(tmp_path / "lock")
    whose = "ada on head runs Slipway on this host, since 10:31"
    with hold(OWNER, path=path), pytest.raises(Held, match=whose), hold(OWNER, 0.1, path):
        pass
    with hold({**OWNER, "person": "a much shorter one"}, 0, path):
        pass
    with hold({"person": "b"}, 0, path), pytest.raises(Held, match="another run of Slipway"), hold(OWNER, 0, path):
        pass


def test_a_lock_ends_with_the_process_that_held_it(tmp_path):
    path, ready = str(tmp_path / "lock"), multiprocessing.Event()

    def keep():
        with hold(OWNER, path=path):
            ready.set()
            signal.pause()

    process = multiprocessing.Process(target=keep)
    process.start()
    assert ready.wait(5)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with hold(OWNER, 0, path):
        pass
