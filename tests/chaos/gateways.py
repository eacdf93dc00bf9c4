"""Gateways in network namespaces of their own, and what is done to one of them.

    with network.Network(3, seed=7) as net: ...
    gateway = gateways.Gateway(1, directory, net.space(1), schedule)
    gateway.set_up()
"""
import os
import shutil
import signal
import subprocess

import harness
import policy_harness
import wire

DISK_BYTES = 192 << 20
# Below the floor of five percent, above nothing.
LOW_BYTES = 4 << 20


def name_of(number):
    return f"d{number}"


class Gateway(policy_harness.AddedDomain):
    PORTS = {"peers": 7444, "api": 7443, "enrolment": 7445, "ops": 9464}
    GRANTS = (*policy_harness.AddedDomain.GRANTS,
              ("publisher", "service/publisher", "PUBLISHER\nsources: [\"/event/source/%\"]\nplane: observability"))

    def __init__(self, number, directory, space, schedule):
        super().__init__(name_of(number), directory)
        self.number = number
        self.before = ("nsenter", f"--net={space}")
        self.heartbeat = schedule.heartbeat
        kinds = {fault.kind for fault in schedule.faults if fault.target[0] == number}
        self.small_disk = bool(kinds & {"disk_low", "disk_full"})
        self.false_clock = "clock" in kinds
        self.mounted = False
        self.disk_was_full = False
        self.killed = False
        self.troubles = []  # what no fault explains

    def listens_at(self, listener):
        host = wire.address(self.number) if listener in ("peers", "enrolment") else "127.0.0.1"
        return f"{host}:{self.PORTS[listener]}"

    def configuration(self, attestor=True):
        return super().configuration(attestor) + f"links:\n  heartbeat: {self.heartbeat}s\n  max_backoff: 3s\n"

    def set_up(self, attestor=True):
        if self.small_disk:
            os.makedirs(self.data())
            # What is in it counts at once: no disk is as small.
            self._must("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "cdgate-chaos", self.data())
            self.mounted = True
        super().set_up(attestor)

    def data(self):
        return os.path.join(self.dir, "data")

    def launch(self, *before):
        self.killed = False
        super().launch(*(self._clock() if self.false_clock else ()), *before)

    # --- faults

    def kill_process(self):
        self._end_with(signal.SIGKILL)

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)

    def fill_disk(self, leave):
        """To the last block, where nothing is to be left."""
        self.disk_was_full = self.disk_was_full or leave == 0
        with open(self._filler(), "wb", buffering=0) as file:
            try:
                while (free := self._free()) > leave:
                    file.write(b"\0" * min(1 << 20, free - leave))
            except OSError:
                pass

    def free_disk(self):
        if os.path.exists(self._filler()):
            os.unlink(self._filler())

    def set_clock(self, seconds):
        harness.set_clock(self._clock_file(), seconds)

    def rotate(self, what):
        """What it connects with or signs with."""
        self._run("cert", "renew", self.identity(what), "--ca", self.ca())

    def revive(self):
        """Starts it where it has ended; whoever ended it without a fault is in `troubles`."""
        code = self.process.poll()
        if code is None:
            return
        self._judge_end(code)
        self.launch()

    # --- the end

    def end_in_order(self):
        """Ends it, and notes where it does not end as it should."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            code = self.process.wait(timeout=harness.PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.troubles.append(f"{self.name} does not end at SIGTERM")
            return self.kill_process()
        if code != 0:
            self.troubles.append(f"{self.name} ended at SIGTERM with status {code}")

    def clean_up(self):
        if self.process and self.process.poll() is None:
            self.kill_process()
        if self.mounted:
            subprocess.run(["umount", self.data()], check=False)
            self.mounted = False

    def keep_data(self):
        """A tmpfs goes with the run: its files are copied for a look."""
        if self.mounted:
            self.free_disk()
            shutil.copytree(self.data(), f"{self.dir}/data.kept", dirs_exist_ok=True,
                            ignore=lambda folder, names: [n for n in names if n.endswith(".sock")])

    def _judge_end(self, code):
        if code == -signal.SIGKILL and self.killed:
            return
        if code > 0 and self.disk_was_full:
            return  # a write failed, and it said so
        self.troubles.append(f"{self.name} ended by itself with status {code}")


    def _end_with(self, number):
        self.killed = True
        if self.process.poll() is None:
            self.process.send_signal(number)
        else:
            self._judge_end(self.process.returncode)
        self.process.wait()

    def _filler(self):
        return os.path.join(self.data(), "filler")

    def _free(self):
        stat = os.statvfs(self.data())
        return stat.f_bavail * stat.f_bsize

    def _clock_file(self):
        return os.path.join(self.dir, "clock")

    def _clock(self):
        """A command behind which the wall clock is off by what a file says, also later."""
        return harness.false_clock(self._clock_file())

    @staticmethod
    def _must(*argv):
        result = harness.run(list(argv))
        if result.code != 0:
            raise AssertionError(str(result))
