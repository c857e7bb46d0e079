"""The user's words as text: the request for the server's transcription model, and its failures.

Transcription is a recogniser beside the model that answers. It is off by default, and its
failures do not affect answers.
"""

import re

from parleyd.config import RealtimeConfig
from parleyd.config.servers import takes_keywords
from parleyd.realtime.events import ErrorDetail, Json, TranscriptionFailure
from parleyd.realtime.server_errors import WHAT_TO_DO, classify_error

UNINTELLIGIBLE = "audio_unintelligible"
"""The code of a failure that is about the sound, not about the model."""

_TAKE_A_LIST = ("gpt-transcribe", "gpt-live-transcribe")
_UNKNOWN_MODELS = ("DeploymentNotFound", "model_not_found", "invalid_model")


def settings(realtime: RealtimeConfig) -> Json | None:
    """The `transcription` of a session; None disables it.

    Keywords go into the field that the model knows (openai-python 3.57, `AudioTranscription`):
    a list, or a prompt, which is a list of words for whisper-1 and a sentence for the others.
    """
    model = realtime.transcription_model
    if not model:
        return None
    wanted: Json = {"model": model}
    if realtime.language:
        wanted["language"] = realtime.language
    words = list(realtime.transcription_keywords)
    if words and takes_keywords(model):
        listed = ", ".join(words)
        if model.startswith(_TAKE_A_LIST):
            wanted["keywords"] = words
        elif model.startswith("whisper"):
            wanted["prompt"] = listed
        else:
            wanted["prompt"] = f"Expect these words: {listed}."
    return wanted


# Whisper and its successors describe sounds without words: "[Music]", "(applause)", "*coughs*".
_SOUND = re.compile(r"\[[^]]{,80}\]|\([^)]{,80}\)|\*[^*]{,80}\*|♪[^♪]{,80}♪")


def has_words(transcript: str) -> bool:
    """Return whether a transcript has a word beside descriptions of sounds and punctuation."""
    return any(character.isalnum() for character in _SOUND.sub(" ", transcript))


def failure(error: TranscriptionFailure) -> str:
    """Why the user's words were not transcribed, in words for the log."""
    if error.code in _UNKNOWN_MODELS:
        why = (
            f"{error.code}: check realtime.transcription_model, which on Azure is the name of a "
            "deployment"
        )
    else:
        detail = ErrorDetail(type=error.type, code=error.code, message=error.message)
        why = WHAT_TO_DO["server_error"] if _empty(error) else classify_error(detail).text
    return f"the server does not transcribe the user's words ({why}); answers are not affected"


def _empty(error: TranscriptionFailure) -> bool:
    return not (error.type or error.code or error.message)
