"""What each kind of realtime server needs and lacks: one row for each value of `realtime.server`.

The row is all that differs. A server that deviates in a way that no row knows is met by
what holds for every server: unknown events are ignored, every wait has a deadline.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of server; the defaults are OpenAI's own behaviour."""

    url: str = ""
    """Where it is; "" must be configured (`url_like` shows how)."""
    url_like: str = "wss://host/v1/realtime"
    model: str = ""
    """What it is asked for; "" must be configured where `needs_model`."""
    needs_model: bool = False
    key: str = "REALTIME_API_KEY"
    """The name of its key, in the environment or as a credential."""
    needs_key: bool = False
    """It lets nobody in without a key; the key goes to `hosts` alone, and only encrypted."""
    maker: str = ""
    """Whose servers these are, where `needs_key`."""
    hosts: tuple[str, ...] = ()
    """The domains of `maker` that get the key, each with all below it."""
    key_header: str = "Authorization"
    """`Authorization` takes "Bearer <key>", any other header the bare key."""
    voice: str = ""
    """The voice unless one is configured; "" leaves it to the server."""
    flat_session: bool = False
    """Voice and turn detection stand at the top of the session, not below `audio`."""
    clears: bool = True
    """It can forget audio that was sent and not committed."""
    truncates: bool = True
    """It understands that an item was not heard to its end."""
    interrupts: bool = False
    """It may end its own answer when it hears the user, whatever it was told."""
    answers: bool | None = False
    """It answers a turn that it detected by itself, whatever it was told; None: unknown."""
    answers_commits: bool = False
    """It does so for a turn that Parley committed, too."""
    limits_context: bool = False
    """It knows `truncation` with a limit in tokens, and `tracing`."""
    ends: bool = True
    """It always says when a response is done."""
    mcp: bool = False
    """It calls remote (MCP) tools by itself, and asks for permission first."""


OPENAI = Profile(
    url="wss://api.openai.com/v1/realtime",
    model="gpt-realtime-2.1",
    key="OPENAI_API_KEY",
    needs_key=True,
    maker="OpenAI",
    hosts=("openai.com",),  # api., and the regions: us.api., eu.api., ...
    voice="marin",
    limits_context=True,
    mcp=True,
)

AZURE_HOSTS = (  # of a resource: Azure OpenAI, Foundry, their older names, and the other clouds
    "openai.azure.com",
    "cognitiveservices.azure.com",
    "services.ai.azure.com",
    "api.cognitive.microsoft.com",  # of a region, for resources without a name of their own
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
            mcp=True,
        ),
        "xai": Profile(
            url="wss://api.x.ai/v1/realtime",
            model="grok-voice-latest",
            key="XAI_API_KEY",
            needs_key=True,
            maker="xAI",
            hosts=("x.ai",),  # api., and the regions: us-east-1.api., eu-west-1.api., ...
            voice="ara",  # what the service says in session.created; others: rex sal eve leo
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
    """The row of a `realtime.server`; "auto" is OpenAI or our own, which behave alike."""
    return PROFILES.get(server, OPENAI)


_TAKE_NOTHING = ("gpt-realtime-whisper", "gpt-4o-transcribe-diarize")


def takes_keywords(model: str) -> bool:
    """Whether the model can be told words to expect; unknown ones (deployments) can."""
    return not model.startswith(_TAKE_NOTHING)
