"""`parley completion`: the completion of the commands for a shell."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion for SHELL; an installed Parley has that of bash already.

    \b
    Examples:
      eval "$(parley completion bash)"
      parley completion fish > ~/.config/fish/completions/parley.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "parley", "_PARLEY_COMPLETE").source())
