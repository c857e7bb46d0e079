"""Trains the classifier that hears a user through the echo (`parleyd.hearing.talker`).

First the examples, by the daemon's own canceller, levels and pitch, in the project's
environment; a thousand sessions take about 20 minutes of one core:

    python -m tests.bench.training.make --corpus DIR --split A --out /tmp/examples

then the network, in an environment of its own with PyTorch, which nothing else needs
(``python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.13.0``; 4 minutes):

    /tmp/torch/bin/python tests/bench/training/train.py /tmp/examples \\
        daemon/parleyd/hearing/models/talker.npz

Both are deterministic on one machine. The shipped weights are of a run on 310 sessions
(3.2 hours), ten epochs, without dropout and noise on the cues; the script's own, of twice as
many sessions, find more users at 15 dB and commit more clatter, so they were not taken.

Validate with ``python -m tests.bench.hearing --corpus DIR --split B``: rooms, voices and
halves of noises that no example was made of.
"""
