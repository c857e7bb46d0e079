"""The kinds of realtime servers: a row of differences for each value of `realtime.server`.

No other code depends on the kind. Deviations that no row covers are handled as for every server:
unknown events are ignored, and every wait has a deadline.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of server; the defaults are OpenAI's behaviour."""

    url: str = ""
    """The usual address; "" must be configured (`url_like` shows the form)."""
    url_like: str = "wss://host/v1/realtime"
    model: str = ""
    """The usual model; "" must be configured if `needs_model`."""
    needs_model: bool = False
    key: str = "REALTIME_API_KEY"
    """The name of its key, in the environment or as a credential."""
    needs_key: bool = False
    """It refuses clients without a key. The key is only sent to `hosts`, and only encrypted."""
    maker: str = ""
    """The operator of these servers, if `needs_key`."""
    hosts: tuple[str, ...] = ()
    """The domains of `maker` that get the key, with their subdomains."""
    key_header: str = "Authorization"
    """`Authorization` takes "Bearer <key>", any other header the bare key."""
    voice: str = ""
    """The voice unless one is configured; "" leaves it to the server."""
    flat_session: bool = False
    """Voice and turn detection are at the top of the session, not below `audio`."""
    clears: bool = True
    """It can clear audio that was appended and not committed."""
    truncates: bool = True
    """It can truncate an item that was not heard to its end."""
    interrupts: bool = False
    """It may end its answer when it hears the user, whatever the session says."""
    answers: bool | None = False
    """It answers a turn that it detected, whatever the session says; None: unknown."""
    answers_commits: bool = False
    """It also answers a turn that Parley committed, whatever the session says."""
    limits_context: bool = False
    """It supports `truncation` with a limit in tokens, and `tracing`."""
    ends: bool = True
    """It always reports the end of a response."""
    side_speech: bool = False
    """It has responses outside the conversation (`conversation` "none")."""
    mcp: bool = False
    """It calls remote (MCP) tools itself, and asks for permission first."""


OPENAI = Profile(
    url="wss://api.openai.com/v1/realtime",
    model="gpt-realtime-2.1",
    key="OPENAI_API_KEY",
    needs_key=True,
    maker="OpenAI",
    hosts=("openai.com",),  # api., and the regions: us.api., eu.api., ...
    voice="marin",
    limits_context=True,
    side_speech=True,
    mcp=True,
)

AZURE_HOSTS = (  # of a resource: Azure OpenAI, Foundry, their older names, and the other clouds
    "openai.azure.com",
    "cognitiveservices.azure.com",
    "services.ai.azure.com",
    "api.cognitive.microsoft.com",  # of a region, for resources without their own name
    "openai.azure.us",
    "cognitiveservices.azure.us",
    "services.ai.azure.us",
    "api.cognitive.microsoft.us",
    "openai.azure.cn",
    "cognitiveservices.azure.cn",
    "api.cognitive.azure.cn",
)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "openai": OPENAI,
        "azure": Profile(
            url_like="wss://RESOURCE.openai.azure.com/openai/v1/realtime",
            needs_model=True,  # the name of the deployment
            key="AZURE_OPENAI_API_KEY",
            needs_key=True,
            maker="Azure",
            hosts=AZURE_HOSTS,
            key_header="api-key",
            voice="marin",
            limits_context=True,
            side_speech=True,
            mcp=True,
        ),
        "xai": Profile(
            url="wss://api.x.ai/v1/realtime",
            model="grok-voice-latest",
            key="XAI_API_KEY",
            needs_key=True,
            maker="xAI",
            hosts=("x.ai",),  # api., and the regions: us-east-1.api., eu-west-1.api., ...
            voice="ara",  # the default in session.created; others: rex sal eve leo
            flat_session=True,
            truncates=False,
            interrupts=True,
            answers=True,
            ends=False,
        ),
        "localai": Profile(
            url="ws://127.0.0.1:8080/v1/realtime",
            needs_model=True,  # the name of a pipeline
            interrupts=True,
            answers=True,  # its source at 82c191afa never reads create_response
            answers_commits=True,
            ends=False,
        ),
        "speech-to-speech": Profile(url="ws://127.0.0.1:8765/v1/realtime", clears=False),
        "compatible": Profile(interrupts=True, answers=None, ends=False),
        "embedded": Profile(model="embedded"),
    }
)


def profile(server: str) -> Profile:
    """The row of a `realtime.server`; "auto" is OpenAI or embedded, which behave alike."""
    return PROFILES.get(server, OPENAI)


_TAKE_NOTHING = ("gpt-realtime-whisper", "gpt-4o-transcribe-diarize")


def takes_keywords(model: str) -> bool:
    """Whether the transcription model takes keywords; unknown names (deployments) do."""
    return not model.startswith(_TAKE_NOTHING)
