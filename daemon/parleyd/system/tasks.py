"""Log the failure of a background task, which asyncio would otherwise swallow."""

import asyncio
import logging
from typing import Any

log = logging.getLogger(__name__)


def failed(task: "asyncio.Task[Any]") -> bool:
    """Return whether a finished task raised; if so, log the traceback. For done callbacks."""
    if task.cancelled() or (error := task.exception()) is None:
        return False
    log.error("the task %s failed", task.get_name(), exc_info=error)
    return True
