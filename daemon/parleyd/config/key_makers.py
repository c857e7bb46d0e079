"""Which maker of a server a key belongs to, by its beginning. No message holds a key."""

from typing import NamedTuple

from parleyd.config.credentials import key_flaw
from parleyd.config.servers import profile

SHORTEST = 20  # characters; the keys of all these makers have 32 or more


class KeyMaker(NamedTuple):
    """A maker, and the `realtime.server` that takes its keys; "" is none."""

    name: str
    server: str = ""


_BEGINNINGS = (  # the longer ones first
    ("sk-ant-", KeyMaker("Anthropic")),
    ("sk-or-", KeyMaker("OpenRouter")),
    ("sk-admin-", KeyMaker("OpenAI's administration")),
    ("sk-", KeyMaker("OpenAI", "openai")),
    ("xai-", KeyMaker("xAI", "xai")),
    ("AIza", KeyMaker("Google")),
    ("gsk_", KeyMaker("Groq")),
    ("hf_", KeyMaker("Hugging Face")),
    ("pplx-", KeyMaker("Perplexity")),
    ("r8_", KeyMaker("Replicate")),
    ("ghp_", KeyMaker("GitHub")),
    ("github_pat_", KeyMaker("GitHub")),
    ("AKIA", KeyMaker("Amazon")),
)
_BEGINS = {"openai": "sk-", "xai": "xai-"}
_PATHS = ("/", "~/", "./", "../", "file:")


def maker_of(key: str) -> KeyMaker | None:
    """The maker whose keys begin like this one; None if it is unknown, as for Azure."""
    return next((maker for start, maker in _BEGINNINGS if key.startswith(start)), None)


def wrong_maker(server: str, key: str) -> str:
    """Why the key does not fit this `realtime.server`; "" if it may. Holds nothing of the key."""
    server = "openai" if server == "auto" else server
    wanted, maker = profile(server).maker, maker_of(key)
    if not wanted:  # a server at home, whose owner chooses the form
        return ""
    if maker is not None and maker.server != server:
        return f"it begins like a key of {maker.name}, expected is one of {wanted}"
    if maker is None and server in _BEGINS:
        return f'it does not begin with "{_BEGINS[server]}", as the keys of {wanted} do'
    return ""


def entry_flaw(key: str) -> str:
    """Why a key that a person has entered cannot be one, or "". Holds nothing of the key."""
    if key.startswith(_PATHS) or key[1:3] in (":\\", ":/"):
        return "it is the path of a file, expected is the key in it"
    if flaw := key_flaw(key):
        return flaw
    if len(key) < SHORTEST:
        return f"it has {len(key)} of at least {SHORTEST} characters: copy the whole key"
    return ""
