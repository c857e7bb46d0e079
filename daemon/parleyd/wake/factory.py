"""Create the wake-word engine that the configuration and the key select."""

import logging

from parleyd import config
from parleyd.errors import WakeError
from parleyd.wake import WakeEngine
from parleyd.wake.micro import Micro

_log = logging.getLogger(__name__)


def create(settings: config.WakeConfig, access_key: str | None) -> WakeEngine:
    """Start the engine that the configuration names. Raises `WakeError`.

    ``auto`` selects Porcupine if a key is available, else micro. If Porcupine cannot start
    or does not know a keyword, ``auto`` selects micro and logs the reason, provided that
    micro knows all keywords: the configured word matters more than the engine.
    """
    if settings.engine == "porcupine":
        return _porcupine(settings, access_key)
    if settings.engine == "micro" or access_key is None:
        return Micro(settings.keywords, settings.sensitivity)
    try:
        return _porcupine(settings, access_key)
    except WakeError as refused:
        try:
            engine = Micro(settings.keywords, settings.sensitivity)
        except WakeError:
            raise refused from None
        _log.warning("using the wake-word engine micro instead: %s", refused)
        return engine


def _porcupine(settings: config.WakeConfig, access_key: str | None) -> WakeEngine:
    from parleyd.wake.porcupine import Porcupine  # only if it is selected

    return Porcupine(settings.keywords, settings.sensitivity, access_key)
