"""Benchmarks of the embedded server: python tests/embedded/bench_server.py

It talks to `parley serve` over its socket in real time. Latency is counted from the last loud
frame of the question to the arrival of the first audio delta.
"""

import asyncio
import base64
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from parleyd.audio import resample
from parleyd.embedded import recognizer, synthesizer
from parleyd.units import Frames

QUESTIONS = ["what time is it", "what day is it", "turn the volume up", "what can i say"]
MODES = {
    "server_vad 500 ms": {"type": "server_vad", "silence_duration_ms": 500},
    "server_vad 300 ms": {"type": "server_vad", "silence_duration_ms": 300},
    "semantic_vad high": {"type": "semantic_vad", "eagerness": "high"},
}
PERIOD_S = 0.02


def question(voice: synthesizer.Synthesizer, text: str) -> Any:
    frames, rate_hz = voice.native(text)
    speech = resample(frames, rate_hz, 24_000)
    last = int(np.flatnonzero(np.abs(speech.astype(int)) > 1000)[-1])
    quiet = np.random.default_rng(1).normal(0, 12, 36_000)
    return np.concatenate([speech[:last], quiet]).astype("<i2"), last


async def ask(socket: ClientConnection, frames: Frames, last: int) -> Any:
    """Send in real time; returns ms from the last loud frame to the first delta."""
    first = asyncio.get_running_loop().create_future()

    async def listen() -> None:
        async for message in socket:
            kind = json.loads(message)["type"]
            if kind == "response.output_audio.delta" and not first.done():
                first.set_result(time.monotonic())
            if kind == "response.done":
                return

    listener = asyncio.create_task(listen())
    start, step = time.monotonic(), int(24_000 * PERIOD_S)
    for i in range(0, len(frames), step):
        await asyncio.sleep(max(0.0, start + (i + step) / 24_000 - time.monotonic()))
        audio = base64.b64encode(frames[i : i + step].tobytes()).decode()
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
    await listener
    return (await first - start - last / 24_000) * 1000


async def latencies(url: str) -> None:
    voice = synthesizer.Synthesizer("awb")
    for name, detection in MODES.items():
        async with connect(f"{url}?model=bench") as socket:
            session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
            await socket.send(json.dumps({"type": "session.update", "session": session}))
            found = [await ask(socket, *question(voice, text)) for text in QUESTIONS]
        print(
            f"{name}: end of speech to first delta, ms: median {statistics.median(found):.0f},"
            f" {min(found):.0f} to {max(found):.0f} (n = {len(found)})"
        )


def memory(label: str, pid: int | str) -> None:
    status = Path(f"/proc/{pid}/status").read_text()
    figures = {
        line.split(":")[0]: int(line.split()[1]) // 1024
        for line in status.splitlines()
        if line.startswith(("VmRSS", "VmHWM"))
    }
    print(f"{label}: resident {figures['VmRSS']} MB, peak {figures['VmHWM']} MB")


def factors() -> None:
    front_end, voice = recognizer.Recognizer(), synthesizer.Synthesizer("awb")
    heard_s = cpu_s = 0.0
    for text in QUESTIONS * 3:
        frames, rate_hz = voice.native(text)
        clip = resample(frames, rate_hz, 16_000)
        start = time.process_time()
        front_end.recognize(clip)
        cpu_s += time.process_time() - start
        heard_s += len(clip) / 16_000
    print(f"recognition: real-time factor {cpu_s / heard_s:.3f}")
    speaker, made = synthesizer.Synthesizer(), 0
    start = time.process_time()
    for text in QUESTIONS * 3:
        made += len(speaker.synthesize(text))
    print(f"synthesis: real-time factor {(time.process_time() - start) / (made / 24_000):.3f}")


def main() -> None:
    start = time.monotonic()
    command = [sys.executable, "-m", "parleyd", "serve", "--exit-with-parent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        url = server.stdout.readline().decode().split()[-1]  # type: ignore[union-attr]
        print(f"start to listening: {time.monotonic() - start:.2f} s")
        memory("server, idle", server.pid)
        asyncio.run(latencies(url))
        memory("server, after use", server.pid)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        for child in children:
            memory("recogniser's process", child)
        server.stdin.close()  # type: ignore[union-attr]
    factors()


if __name__ == "__main__":
    main()
