"""``python -m pipeline``: arguments in, lines out."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from pipeline import __version__, commands, recipes
from pipeline.errors import CheckFailed, UserError
from pipeline.fingerprint import NoFingerprint
from pipeline.sources import Unreadable
from pipeline.step import WiringError

MISTAKE, FAILURE, INTERRUPTED = 2, 1, 130

# Errors of the system that are of the place that was named, not of this program.  Others, such as a file that is not
# there, may be mistakes of ours, and keep their traceback.
PLACES = {
    errno.ENAMETOOLONG: "too long for the name of a file or folder; name one, or give a text with --text",
    errno.ENOTDIR: "a part of this path is a file, not a folder; name another place, or move that file",
    errno.ELOOP: "a link that leads back to itself; name the file or folder that is meant",
    errno.EROFS: "on a disk that can only be read; name another place, such as with PIPELINE_HOME",
}

# Frameworks talk a lot, and ask the network for news; what is set outside wins.
QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "true",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "USE_TF": "0",
    "ORT_LOGGING_LEVEL": "3",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is 0, 2 for a user's mistake, 1 for a failure, 130 for Ctrl-C."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it has no variable for that
    parser = _parser()
    options, more = parser.parse_known_args(arguments)
    if more:  # settings that follow an option
        if not hasattr(options, "settings") or any(word.startswith("-") for word in more):
            parser.error(f"unrecognized arguments: {' '.join(more)}")
        options.settings += more
    try:
        options.command(options)
        return 0
    except (UserError, WiringError, NoFingerprint, Unreadable) as error:
        return _complain(str(error), MISTAKE)
    except CheckFailed as error:
        return _complain(str(error), FAILURE)
    except KeyboardInterrupt:
        return _complain("interrupted; what was finished is kept, the same command goes on from there", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone; print into nothing
        return FAILURE
    except OSError as error:
        if text := _explained(error):
            return _complain(text, FAILURE if error.errno == errno.ENOSPC else MISTAKE)
        raise


def _explained(error: OSError) -> str:
    """What to say of an error of the system; nothing, if it may be a mistake of this program."""
    if error.errno == errno.ENOSPC:
        return (
            f"no space left on the disk ({error.filename or 'while writing'}); what was finished is kept; "
            "`python -m pipeline clean --dry-run` lists what can go"
        )
    if isinstance(error, PermissionError):
        return f"{error.filename}: no permission to read or write it; give it to this user"
    if error.filename and error.errno in PLACES:
        return f"{error.filename!s:.300}: {PLACES[error.errno]}"
    return ""


def _complain(text: str, code: int) -> int:
    for line in text.splitlines():
        print(f"error: {line}", file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    """One that tells who named no recipe which there are: its usage would not."""

    def error(self, message: str) -> NoReturn:
        if "required: RECIPE" in message:
            self.exit(MISTAKE, f"error: {recipes.missing()}\n")
        super().error(message)


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="python -m pipeline",
        description="Fine-tune pretrained Transformers, by recipe.",
        epilog="Results are in results/RECIPE/, everything ever made in .store/; PIPELINE_HOME names another place for both.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    adding = parser.add_subparsers(required=True, metavar="COMMAND")

    command = adding.add_parser("list", help="name the recipes")
    command.set_defaults(command=lambda options: commands.list_recipes())

    command = _with_settings(adding.add_parser("show", help="print a recipe's settings"))
    command.set_defaults(command=lambda o: commands.show(o.recipe, o.settings, o.file))

    command = _with_settings(adding.add_parser("plan", help="say what a run would find or make, and why"))
    command.set_defaults(command=lambda o: commands.plan(o.recipe, o.settings, o.file))

    command = _with_settings(adding.add_parser("run", help="bring a recipe up to date"))
    command.add_argument("--until", metavar="STEP", default="", help="stop after this step")
    command.add_argument("--force", action="append", default=[], metavar="STEP", help="make this step again")
    command.add_argument("--verify", action="store_true", help="check every byte of what is found")
    command.add_argument("--newer", action="store_true", help="ask the Hub again which commit a branch is at")
    command.set_defaults(
        command=lambda o: commands.run(
            o.recipe, o.settings, o.file, until=o.until, force=o.force, verify=o.verify, newer=o.newer
        )
    )

    _predict_command(adding)

    command = adding.add_parser("why", help="print all that a step's result depends on, and what has changed")
    command.add_argument("recipe", metavar="RECIPE")
    command.add_argument("step", metavar="STEP")
    _settings(command)
    command.set_defaults(command=lambda o: commands.why(o.recipe, o.step, o.settings, o.file))

    command = adding.add_parser("clean", help="delete results that no recipe's last run needs")
    command.add_argument("--keep", type=int, default=1, metavar="N", help="keep the last N runs of each recipe (1)")
    command.add_argument("--size", metavar="SIZE", help="delete the oldest only until the store is this small: 5GB")
    command.add_argument("--dry-run", action="store_true", help="only say what would go")
    command.set_defaults(command=lambda o: commands.clean(o.keep, o.size, dry_run=o.dry_run))
    return parser


def _predict_command(adding: Any) -> None:
    command = _with_settings(adding.add_parser("predict", help="answer new texts with a recipe's latest model"))
    command.add_argument(
        "--text", action="append", default=[], metavar="TEXT", help="a text; again for each of several"
    )
    command.add_argument(
        "--file", dest="source", type=Path, metavar="FILE", help="rows to answer: .csv, .jsonl, .txt …"
    )
    command.add_argument("--out", type=Path, metavar="FILE", help="write the answers there, as JSON, one a line")
    command.add_argument("--format", metavar="FORMAT", default="safetensors", help="which export to run, such as onnx")
    command.set_defaults(command=_predict)


def _predict(options: argparse.Namespace) -> None:
    from pipeline.prediction import predict  # it knows the stages, which no other command has to load

    predict(
        options.recipe, options.settings, options.file,
        texts=options.text, file=options.source, out=options.out, format=options.format,
    )  # fmt: skip


def _with_settings(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument(
        "recipe", metavar="RECIPE", help="a name that `list` gives, or the path of a recipe's .py file"
    )
    return _settings(command)


def _settings(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    # With a default it is not among what is said to be missing.
    command.add_argument(
        "settings", nargs="*", default=[], metavar="PATH=VALUE", help="a setting, such as training.epochs=5"
    )
    command.add_argument("--settings", dest="file", type=Path, metavar="FILE", help="a TOML file of settings")
    return command
