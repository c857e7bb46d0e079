"""The path from the top of README.md to the sentence to say stays short."""

from tests.docs.pages import ROOT
from tests.install.first_answer import path_of

MOST_WORDS = 110  # of text and commands; a newcomer once needed 3,500
MOST_COMMANDS = 4


def test_readme_leads_to_the_first_answer_at_once() -> None:
    path = path_of((ROOT / "README.md").read_text("utf-8"))
    assert path.words <= MOST_WORDS
    assert len(path.commands) <= MOST_COMMANDS
    assert path.commands[-1] == "sudo parley/install.sh --install"
