"""MQTT for Home Assistant: a separate process between a broker and the control socket.

It needs the extra `mqtt`; `daemon/docs/home-assistant.md` is its page.
"""
