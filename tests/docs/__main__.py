"""`python -m tests.docs` writes the page of the configuration again."""

from tests.docs import reference
from tests.docs.pages import DOCS

DOCS.joinpath("configuration.md").write_text(reference.page(), "utf-8")
