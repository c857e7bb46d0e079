"""Background tasks whose failure would otherwise vanish with them."""

import asyncio
import logging
from typing import Any

log = logging.getLogger(__name__)


def failed(task: "asyncio.Task[Any]") -> bool:
    """For a callback at the end of a task: whether it raised. Then the log has the traceback."""
    if task.cancelled() or (error := task.exception()) is None:
        return False
    log.error("the task %s failed", task.get_name(), exc_info=error)
    return True
