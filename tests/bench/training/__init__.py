"""Trains the networks: the user through the echo (`parleyd.hearing.near_end`), and the stop word.

The training material comes from Debian packages (games and teaching software: 2,300 utterances
of more than a hundred people, 1,100 single sounds of things, music) and is placed in random
rooms. It excludes the noises of the corpus that the bench measures on. Gather it in an
environment with PyTorch, which no other part needs:

    python3 -m venv /tmp/torch
    /tmp/torch/bin/pip install torch==2.13.0 soundfile soxr pyroomacoustics
    /tmp/torch/bin/python tests/bench/training/gather.py /tmp/gathered

Then make the examples with the daemon's canceller, levels and pitch, in the project's
environment; a thousand sessions (ten hours) take about 40 minutes on one core:

    python -m tests.bench.training.make --corpus DIR --split A --gathered /tmp/gathered \\
        --out /tmp/examples

Then train the network, from scratch or from an earlier model (`--start`):

    /tmp/torch/bin/python -m tests.bench.training.train /tmp/examples \\
        daemon/parleyd/hearing/models/near_end.npz

`near_end.npz` is that of version 0.2.0: it learned from 1,659 sessions without devices and first
sounds. Others that learned those, too, were worse in kitchens (see the bench's README).
`near_end_processed.npz` is one of them, for microphones that process their sound: 1,649 sessions
made with half A, 12 epochs.

All three are deterministic on one machine.

The stop word (`parleyd.hearing.stop_word`) has voices, examples and a training of its own. The
gathered rooms, noises, music and answers serve both:

    python -m tests.bench.training.stop_voices /tmp/voices --kokoro /tmp/kokoro
    python -m tests.bench.training.stop_make --gathered /tmp/gathered --voices /tmp/voices \\
        --out /tmp/stop
    /tmp/torch/bin/python -m tests.bench.training.stop_train /tmp/stop \\
        daemon/parleyd/hearing/models/stop_word.npz

The judge of "stop" into an alarm (`parleyd.hearing.alarm_stop`): see tests/bench/alarms/README.md.

Validate the first with ``python -m tests.bench.hearing --corpus DIR --split B``: rooms, voices and
noises that appear in no example.
"""
