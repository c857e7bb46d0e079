"""Trains the classifier that hears a user through the echo (`parleyd.hearing.near_end`).

What to learn from is gathered out of Debian packages (games and teaching software: 2,300
utterances of more than a hundred people, 1,100 single sounds of things, music) and put into
random rooms; the noises of the corpus that the bench measures on are not among it. In an
environment with PyTorch, which nothing else needs:

    python3 -m venv /tmp/torch
    /tmp/torch/bin/pip install torch==2.13.0 soundfile pyroomacoustics
    /tmp/torch/bin/python tests/bench/training/gather.py /tmp/gathered

then the examples, by the daemon's own canceller, levels and pitch, in the project's
environment; a thousand sessions (ten hours) take about 25 minutes of one core:

    python -m tests.bench.training.make --corpus DIR --split A --gathered /tmp/gathered \\
        --out /tmp/examples

then the network:

    /tmp/torch/bin/python tests/bench/training/train.py /tmp/examples \\
        daemon/parleyd/hearing/models/talker.npz

All three are deterministic on one machine.

Validate with ``python -m tests.bench.hearing --corpus DIR --split B``: rooms, voices and
noises that no example was made of.
"""
