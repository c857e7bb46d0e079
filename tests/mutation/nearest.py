"""The modules of the core and the tests nearest to each."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "daemon" / "parleyd"

_CONVERSATIONS = (
    "core/test_speaker.py", "core/test_interruptions_core.py", "core/test_answers_end.py",
)  # fmt: skip
_SESSION = (
    "realtime/test_session.py", "realtime/test_response_identity.py",
    "realtime/test_session_profiles.py", "realtime/test_session_properties.py",
)  # fmt: skip

NEAREST: dict[str, tuple[str, ...]] = {
    "audio": ("test_audio.py",),
    **{
        f"calibration.{name}": ("calibration/test_chances.py",
                                "calibration/test_calibrated_rooms.py",
                                "calibration/test_calibrated_figures.py")
        for name in ("echo_verdicts", "interrupting", "judging", "microphone_verdicts", "silence",
                     "sweep", "sweep_step", "user_verdicts")
    },
    "app.measuring_core": ("app/test_measuring_core.py",),
    "core.turn": ("core/test_turn.py",),
    "core.speaker": (*_CONVERSATIONS, "core/test_speaker_leftovers.py", "core/test_card_lost.py",
                     "core/test_greeting.py", "hearing/test_hearing_fails.py"),
    "core.dialogue": (*_CONVERSATIONS, "core/test_speaker_leftovers.py",
                      "core/test_onset_at_end.py", "core/test_follow_ups.py",
                      "core/test_patience.py"),
    "core.reply": (*_CONVERSATIONS, "core/test_onset_at_end.py", "core/test_patience.py",
                   "realtime/test_remote_tools.py"),
    "core.hearing_monitor": ("core/test_greeting.py", "hearing/test_hearing_fails.py",
                             "hearing/test_duplex.py"),
    "core.server_problems": ("core/test_server_problems.py",),
    "playback.playout": ("playback/test_playout.py", "core/test_speaker.py"),
    "playback.reply_player": (
        "playback/test_reply_player.py", *_CONVERSATIONS, "core/test_greeting.py",
    ),
    "core.uplink": ("core/test_uplink.py",),
    "core.connection_policy": ("core/test_connection_policy.py",),
    "playback.lead": ("playback/test_lead.py",),
    "core.indicator": ("core/test_indicator.py",),
    "core.alarm_ringer": ("core/test_alarm_ringer.py",),
    "core.alarm_sound": ("core/test_alarm_sound.py",),
    "core.follow_ups": ("core/test_follow_ups.py",),
    "system.repeats": ("system/test_repeats.py",),
    "hearing.front_end": ("hearing/test_hearing_fails.py", *_CONVERSATIONS),
    "skills.alarms": ("skills/test_alarms.py", "skills/test_clocks.py",
                      "core/test_alarm_ringer.py"),
    "skills.mute": ("skills/test_mute.py",),
    "skills.hours": ("skills/test_alarms.py", "skills/test_clocks.py"),
    "wake.gate": ("wake/test_gate.py",),
    "hearing.duplex": ("hearing/test_duplex.py",),
    "hearing.endpointing": ("hearing/test_preroll_endpoint.py",),
    "hearing.barge_in": ("hearing/test_barge_in.py",),
    "hearing.calibration": ("hearing/test_calibration.py",),
    "hearing.preroll": ("hearing/test_preroll_endpoint.py",),
    "hearing.digital_silence": ("hearing/test_digital_silence.py",),
    "hearing.fuse": ("hearing/test_fuse.py",),
    "realtime.address": ("config/test_hosts.py", "realtime/test_settings.py"),
    "realtime.audiotext": ("realtime/test_decoding.py",),
    "realtime.auto_response": ("realtime/test_auto_response.py",),
    "realtime.backoff": ("realtime/test_backoff.py",),
    "realtime.function_calls": ("realtime/test_function_calls.py", *_SESSION),
    "realtime.endings": ("core/test_answers_end.py", *_SESSION),
    "realtime.events": ("realtime/test_events.py", "realtime/test_decoding.py"),
    "realtime.failures": ("realtime/test_failures.py",),
    "realtime.formats": ("realtime/test_formats.py",),
    "realtime.frames": ("realtime/test_frames.py",),
    "realtime.history": ("realtime/test_history.py", "realtime/test_forgetting.py"),
    "config.editing": ("config/test_editing.py",),
    "config.hosts": ("config/test_hosts.py",),
    "page.access": ("page/test_page_access.py",),
    "page.interruption": ("page/test_interruption_picture.py",),
    "page.settings": ("page/test_page_settings.py",),
    "realtime.negotiation": ("realtime/test_negotiation.py",),
    "realtime.session_events": _SESSION,
    "realtime.pace": ("realtime/test_pace.py",),
    "realtime.permission": ("realtime/test_permission.py", "realtime/test_remote_tools.py"),
    "config.servers": ("config/test_servers.py",),
    "realtime.keepalive": ("realtime/test_keepalive.py",),
    "realtime.read_aloud": ("realtime/test_read_aloud.py",),
    "realtime.reading": ("realtime/test_decoding.py", "realtime/test_frames.py"),
    "realtime.server_errors": ("realtime/test_server_errors.py", "realtime/test_failures.py",
                               "realtime/test_backoff.py"),
    "realtime.mcp_calls": ("realtime/test_remote_tools.py",),
    "realtime.responses": _SESSION,
    "realtime.session": (*_SESSION, "realtime/test_forgetting.py", "realtime/test_traps.py"),
    "realtime.response_chain": (
        *_SESSION, "core/test_answers_end.py", "realtime/test_auto_response.py",
        "realtime/test_remote_tools.py", "realtime/test_naming.py",
    ),
    "realtime.outbox": _SESSION,
    "realtime.reply_audio": ("realtime/test_formats.py", "realtime/test_naming.py", *_SESSION),
    "realtime.session_setup": ("realtime/test_negotiation.py", "realtime/test_session_profiles.py",
                               "realtime/test_formats.py", "realtime/test_settings.py"),
    "realtime.turn_input": (*_SESSION, "realtime/test_auto_response.py"),
    "realtime.settings": ("realtime/test_settings.py",),
    "realtime.shapes": ("realtime/test_decoding.py",),
    "realtime.transcription": ("realtime/test_session_profiles.py", "core/test_transcripts.py"),
    "realtime.truncation": ("realtime/test_truncation.py", *_SESSION),
    "realtime.usage": ("realtime/test_usage.py", *_SESSION),
}  # fmt: skip
"""Module name below `parleyd` to files below `tests`, the nearest first."""

QUICK = (
    "core.turn", "playback.lead", "core.indicator", "core.connection_policy", "core.uplink",
    "core.alarm_sound", "wake.gate", "hearing.duplex", "hearing.endpointing", "hearing.barge_in",
    "hearing.calibration", "hearing.preroll", "realtime.backoff", "realtime.pace",
    "realtime.keepalive",
)  # fmt: skip
"""Modules whose nearest tests take about a second: for a sample in CI."""


def source_of(name: str) -> Path:
    """Return the file of a module."""
    return PACKAGE / Path(*name.split(".")).with_suffix(".py")


def nearest_to(name: str) -> list[str]:
    """Return the test files of a module, relative to the checkout."""
    return [f"tests/{file}" for file in dict.fromkeys(NEAREST[name])]
