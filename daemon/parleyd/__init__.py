"""Parley: a smart-speaker daemon that can be interrupted in mid-sentence."""

import os

__version__ = "0.2.0"

# From 1.29 on, ONNX Runtime would make an identifier and report its use to its maker, over
# the network, unless it finds this when it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
