"""python -m tests.bench.decoding: the cost of decoding server messages.

Prints microseconds for usual messages and milliseconds for the worst message of each kind.
Decoding blocks all other threads, and the audio thread must not miss a period of 10 ms.
"""

import base64
import json
import os
import time

from parleyd.realtime.events import decode_server

IDS = {"response_id": "resp_E4BAsy7BWzPzysFg4Xvvk", "item_id": "item_E4BAsZXoSuYWxcYtda12l"}
BIG = 4_000_000  # bytes in each worst message


def main() -> None:
    print("usual messages, best of many runs: µs")
    for name, message in usual().items():
        print(f"  {name:44} {best(message, 2000) * 1e6:8.1f}")
    print(f"worst messages of {BIG / 1e6:.0f} MB, best of five: ms")
    for name, message in worst().items():
        found = type(decode_server(message)).__name__
        print(f"  {name:32} {found:11} {best(message, 5) * 1e3:8.1f}")


def usual() -> dict[str, str]:
    delta = base64.b64encode(os.urandom(10_000)).decode()
    call = {
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": "tell_time",
    }
    done = {"id": IDS["response_id"], "status": "completed", "output": [call], "metadata": None}
    return {
        "audio delta of 10 kB": event("response.output_audio.delta", delta=delta),
        "audio delta, beta event name": event("response.audio.delta", delta=delta),
        "audio delta without padding": event(
            "response.output_audio.delta", delta=delta.rstrip("=")
        ),
        "audio delta without a response id": event(
            "response.output_audio.delta", delta=delta, response_id=None
        ),
        "transcript delta": event("response.output_audio_transcript.delta", delta=" word"),
        "response.done with a call": event("response.done", response=done),
        "unknown event": event("response.hologram.delta", delta="x"),
    }


def worst() -> dict[str, str]:
    speech = base64.b64encode(os.urandom(BIG * 3 // 4)).decode()
    item = '{"type":"conversation.item.added","item":{"id":"i","x":%s}}'
    return {
        "audio delta": event("response.output_audio.delta", delta=speech),
        "audio delta, URL-safe": event(
            "response.output_audio.delta", delta=speech.replace("+", "-").replace("/", "_")
        ),
        "item with embedded audio": item % f'"{speech}"',
        "item of objects": item % f"[{','.join(['{}'] * (BIG // 3))}]",
        "item of numbers": item % f"[{','.join(['1.5e300'] * (BIG // 8))}]",
        "item of escapes": item % ('"' + "\\u00e4" * (BIG // 6) + '"'),
        "id": event("response.created", response={"id": "r" * BIG}),
        "error code": event("error", error={"code": "c" * BIG}),
        "transcript": event("response.output_audio_transcript.delta", delta="word " * (BIG // 5)),
        "name": json.dumps({"type": "x" * BIG}),
        "no JSON": "x" * BIG,
    }


def event(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, "event_id": "event_1"} | IDS | fields)


def best(message: str, times: int) -> float:
    least = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        decode_server(message)
        least = min(least, time.perf_counter() - began)
    return least


if __name__ == "__main__":
    main()
