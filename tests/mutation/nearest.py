"""The core, and the tests nearest to each of its modules."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "daemon" / "parleyd"

_CONVERSATIONS = ("test_speaker.py", "test_interruptions_core.py", "test_answers_end.py")
_SESSION = (
    "realtime/test_session.py", "realtime/test_response_identity.py",
    "realtime/test_session_profiles.py", "realtime/test_session_properties.py",
)  # fmt: skip

NEAREST: dict[str, tuple[str, ...]] = {
    "turn": ("test_turn.py",),
    "speaker": (*_CONVERSATIONS, "test_speaker_leftovers.py", "test_onset_at_end.py",
                "test_card_lost.py", "test_greeting.py", "test_hearing_fails.py",
                "test_followups.py", "test_patience.py"),
    "playout": ("test_playout.py", "test_speaker.py"),
    "mouth": ("test_mouth.py", *_CONVERSATIONS, "test_greeting.py"),
    "uplink": ("test_uplink.py",),
    "line": ("test_line.py",),
    "lead": ("test_lead.py",),
    "ladder": ("lights/test_ladder.py",),
    "bell": ("skills/test_ringing.py",),
    "ringing": ("test_ringing_rounds.py",),
    "followups": ("test_followups.py",),
    "repeats": ("test_repeats.py",),
    "ears": ("test_hearing_fails.py", *_CONVERSATIONS),
    "skills.alarms": ("skills/test_alarms.py", "skills/test_clocks.py", "skills/test_ringing.py"),
    "skills.mute": ("skills/test_mute.py",),
    "skills.hours": ("skills/test_alarms.py", "skills/test_clocks.py"),
    "wake.gate": ("wake/test_gate.py",),
    "hearing.duplex": ("hearing/test_duplex.py",),
    "hearing.endpoint": ("hearing/test_preroll_endpoint.py",),
    "hearing.bargein": ("hearing/test_bargein.py",),
    "hearing.calibration": ("hearing/test_calibration.py",),
    "hearing.preroll": ("hearing/test_preroll_endpoint.py",),
    "hearing.silence": ("hearing/test_silence.py",),
    "hearing.fuse": ("hearing/test_fuse.py",),
    "realtime.address": ("realtime/test_hosts.py", "realtime/test_settings.py"),
    "realtime.audiotext": ("realtime/test_decoding.py",),
    "realtime.auto_response": ("realtime/test_auto_response.py",),
    "realtime.backoff": ("realtime/test_backoff.py",),
    "realtime.calls": ("realtime/test_calls.py", *_SESSION),
    "realtime.endings": ("test_answers_end.py", *_SESSION),
    "realtime.events": ("realtime/test_events.py", "realtime/test_decoding.py"),
    "realtime.failures": ("realtime/test_failures.py",),
    "realtime.formats": ("realtime/test_formats.py",),
    "realtime.frames": ("realtime/test_frames.py",),
    "realtime.history": ("realtime/test_history.py", "realtime/test_forgetting.py"),
    "realtime.hosts": ("realtime/test_hosts.py",),
    "realtime.negotiation": ("realtime/test_negotiation.py",),
    "realtime.news": _SESSION,
    "realtime.pace": ("realtime/test_pace.py",),
    "realtime.permission": ("realtime/test_permission.py", "realtime/test_remote_tools.py"),
    "realtime.profiles": ("realtime/test_profiles.py",),
    "realtime.pulse": ("realtime/test_pulse.py",),
    "realtime.read_aloud": ("realtime/test_read_aloud.py",),
    "realtime.reading": ("realtime/test_decoding.py", "realtime/test_frames.py"),
    "realtime.refusals": ("realtime/test_failures.py", "realtime/test_backoff.py"),
    "realtime.remote": ("realtime/test_remote_tools.py",),
    "realtime.responses": _SESSION,
    "realtime.session": (*_SESSION, "realtime/test_forgetting.py", "realtime/test_traps.py"),
    "realtime.settings": ("realtime/test_settings.py",),
    "realtime.shapes": ("realtime/test_decoding.py",),
    "realtime.transcription": ("realtime/test_session_profiles.py", "test_transcripts.py"),
    "realtime.truncation": ("realtime/test_truncation.py", *_SESSION),
    "realtime.usage": ("realtime/test_usage.py", *_SESSION),
}  # fmt: skip
"""By the module's name below `parleyd`; files below `tests`, the nearest first."""

QUICK = (
    "turn", "lead", "ladder", "line", "uplink", "ringing", "wake.gate", "hearing.duplex",
    "hearing.endpoint", "hearing.bargein", "hearing.calibration", "hearing.preroll",
    "realtime.backoff", "realtime.pace", "realtime.pulse",
)  # fmt: skip
"""Those whose nearest tests take about a second: for a sample in CI."""


def source_of(name: str) -> Path:
    """The file of a module."""
    return PACKAGE / Path(*name.split(".")).with_suffix(".py")


def nearest_to(name: str) -> list[str]:
    """The test files of a module, relative to the checkout."""
    return [f"tests/{file}" for file in dict.fromkeys(NEAREST[name])]
