from uuid import UUID

def send(
    MESSAGE: str,
    MESSAGE_ID: str | UUID | None = None,
    CODE_FILE: str | None = None,
    CODE_LINE: int | None = None,
    CODE_FUNC: str | None = None,
    **kwargs: str | bytes,
) -> None: ...
