"""A realtime server with one script: it answers the first turn with a call of a function."""

import json
import threading
from typing import Any

from websockets.sync.server import ServerConnection, serve

Json = dict[str, Any]


class LampServer:
    """Takes the first sound for a whole turn, and calls the function whose name ends so."""

    def __init__(self, function: str, arguments: Json) -> None:
        self._function, self._arguments = function, arguments
        self._server = serve(self._talk, "127.0.0.1", 0)
        self.port = self._server.socket.getsockname()[1]
        self.session: Json = {}
        """The newest settings of the client."""
        self.outputs: list[str] = []
        """What the client answered to the calls."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()

    @property
    def function(self) -> str:
        """The name of the function; "" while the client has none."""
        names = [tool.get("name", "") for tool in self.session.get("tools", [])]
        return next((name for name in names if name.endswith(self._function)), "")

    def _talk(self, socket: ServerConnection) -> None:
        def send(kind: str, **fields: Any) -> None:
            socket.send(json.dumps({"type": kind, "event_id": "event_1", **fields}))

        heard = responses = 0
        send("session.created", session={"id": "sess_1"})
        for message in socket:
            event = json.loads(message)
            match event["type"]:
                case "session.update":
                    self.session |= event["session"]
                    send("session.updated", session=event["session"])
                case "input_audio_buffer.append" if not heard:
                    heard = 1
                    item = {"item_id": "user_1"}
                    send("input_audio_buffer.speech_started", audio_start_ms=0, **item)
                    send("input_audio_buffer.speech_stopped", audio_end_ms=500, **item)
                    send("input_audio_buffer.committed", previous_item_id=None, **item)
                case "response.create":
                    responses += 1
                    self._respond(send, event, responses)
                case "conversation.item.create":
                    if event["item"]["type"] == "function_call_output":
                        self.outputs.append(event["item"]["output"])

    def _respond(self, send: Any, event: Json, number: int) -> None:
        metadata = event.get("response", {}).get("metadata")
        response = {"id": f"resp_{number}", "metadata": metadata}
        send("response.created", response={**response, "status": "in_progress"})
        output: list[Json] = []
        if number == 1:
            call = {"type": "function_call", "id": "call_item", "call_id": "call_1"}
            arguments = json.dumps(self._arguments)
            output = [{**call, "name": self.function, "arguments": arguments}]
            place = {"response_id": "resp_1", "output_index": 0}
            send("response.output_item.done", item={**output[0], "status": "completed"}, **place)
        done = {**response, "status": "completed", "output": output}
        send("response.done", response=done)
