"""Freed memory returns to the system."""

import subprocess
import sys

# Many small blocks between two that stay: without a request, the C library keeps their memory.
PROGRAM = """
from parleyd.system.memory import release_free_memory

def resident_kb():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])

blocks = [bytearray(2000) for _ in range(30_000)]
last = bytearray(2000)
del blocks
before = resident_kb()
release_free_memory()
print(before - resident_kb())
"""


def test_freed_blocks_are_given_back() -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert int(told.stdout) > 20_000, told.stderr
