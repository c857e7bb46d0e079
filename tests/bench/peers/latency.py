"""The rig's own latency: `python -m tests.bench.peers.latency`.

A client that only passes the microphone to the loudspeaker (`parec` into `pacat`, with small
buffers) hears clicks. The time from a click at the microphone to the same click at the
loudspeaker is the least that PulseAudio costs any client, both ways.
"""

import subprocess
import time

import numpy as np

from parleyd.simulation.acoustics import Room
from parleyd.simulation.talker import Talker
from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.peers.air import Air, keep_up
from tests.bench.peers.sound_server import RECORDER_PRIORITY, PeersRig, run_in_real_time
from tests.soak.memory import tree

CLICKS = 20
EVERY_S = 0.713  # not a multiple of a period
LEADS_IN_S = 4.0
LOUD = 4000
PASS_ON = (
    "parec -d mic --rate=24000 --channels=1 --format=s16le --raw --latency-msec=10"
    " | pacat -d spk --rate=24000 --channels=1 --format=s16le --raw --latency-msec=20"
)


def trips_ms(loudspeaker: Frames, onsets: list[int]) -> list[float]:
    """Return the time from each onset (frames) to the first loud frame after it."""
    found = []
    for onset in onsets:
        loud = np.flatnonzero(np.abs(loudspeaker[onset : onset + MIC_RATE_HZ // 2]) > LOUD)
        if len(loud):
            found.append(1000 * float(loud[0]) / MIC_RATE_HZ)
    return found


def main() -> None:
    click = np.zeros(320, np.int16)
    click[:32] = 16_000
    keep_up()
    talker = Talker()
    room = Room(echo_gain_db=-120.0, noise="silence", loudspeaker_rate_hz=MIC_RATE_HZ, rt60_s=0.0)
    with PeersRig() as rig:
        air = Air(rig.pipe(), room, talker, 1.0, lambda _: None)
        air.start()
        client = subprocess.Popen(["sh", "-c", PASS_ON])
        time.sleep(LEADS_IN_S / 2)
        for pid in tree(client.pid):
            run_in_real_time(pid, RECORDER_PRIORITY)
        time.sleep(LEADS_IN_S / 2)
        for _ in range(CLICKS):
            talker.say(click)
            time.sleep(EVERY_S)
        client.terminate()
        client.wait()
        air.end()
    trips = trips_ms(np.concatenate(air.blocks), [u.onset_frame for u in talker.utterances])
    low, median, high = np.percentile(trips, [0, 50, 100])
    print(f"click to click: median {median:.0f} ms, {low:.0f} to {high:.0f} (n = {len(trips)})")


if __name__ == "__main__":
    main()
