"""`parley init`."""

from __future__ import annotations

from pathlib import Path

import click

from parley.app.commands.frame import Command, Invocation, pass_invocation
from parley.app.setting_up import set_up
from parley.base.config.values import parse_domain


def _domains(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    try:
        domains = tuple(parse_domain(value) for value in values)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if len(set(domains)) < len(domains):
        raise click.BadParameter("a domain is named twice")
    return domains


@click.command(cls=Command)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--domain",
    "domains",
    metavar="DOMAIN",
    multiple=True,
    required=True,
    callback=_domains,
    help="A domain to serve; the first is the primary one. May be repeated.",
)
@pass_invocation
def init(invocation: Invocation, folder: Path, domains: tuple[str, ...]) -> None:
    """Write settings, a data folder and a self-signed certificate into DIR.

    Nothing that is there is overwritten. The settings listen on loopback only: the server can be tried at once, and
    opened to others when its certificate is a real one.
    """
    made = set_up(folder, domains)
    invocation.answer(
        {
            "settings": str(made.settings.absolute()),
            "data_dir": str(made.data_dir.absolute()),
            "certificate": str(made.certificate.absolute()),
            "private_key": str(made.private_key.absolute()),
            "domains": list(domains),
        }
    )
    invocation.say(f"Wrote {made.settings}, a data folder and a self-signed certificate for {', '.join(domains)}.")
    invocation.say(
        "Next:\n"
        f"  parley user add NAME@{domains[0]} --config {made.settings}\n"
        f"  parley check --config {made.settings}\n"
        f"  parley serve --config {made.settings}\n"
        "Before others connect, put a certificate that they trust in place of the self-signed one, and set\n"
        f"http.public_url and the addresses to listen on in {made.settings}."
    )
