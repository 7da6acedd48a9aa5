"""What changes while a run is under way, and what a run leaves that never came to its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.engine.conftest import Background, Code, Recipe, edit, refused, until


def test_code_that_is_edited_while_an_earlier_step_runs_is_not_taken_for_what_ran(
    trouble: Recipe, background: Background
) -> None:
    process = background.into_the_stage("run", trouble.file)
    trouble.edit("def cast(", "NEW = 'new '\n\n\ndef cast(")
    trouble.edit("cast {metal", "{NEW}cast {metal")
    background.let_go()
    _, told = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "cast: what it depends on changed since this run began (code of trouble:cast changed" in told
    assert "run the same again" in told
    assert trouble.run().keys() == {"cast"}
    assert (trouble.results / "piece.txt").read_text(encoding="utf-8").startswith("new ")


def test_a_comment_that_is_written_meanwhile_does_no_harm(trouble: Recipe, background: Background) -> None:
    process = background.into_the_stage("run", trouble.file)
    trouble.edit("def cast(", "# Hot.\ndef cast(")
    background.let_go()
    assert process.communicate(timeout=20)[1] == ""
    assert process.returncode == 0


def test_a_killed_run_leaves_a_record_so_that_cleaning_keeps_what_it_finished(
    trouble: Recipe, background: Background
) -> None:
    process = background.into_the_stage("run", trouble.file)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    (record,) = trouble.records()
    assert not record["finished"]
    assert list(record["steps"]) == ["mine"]
    done = trouble.cli("clean")
    assert done.stdout == "0.0 MB freed\n"
    assert trouble.run().keys() == {"smelt", "cast"}


def test_a_closed_terminal_ends_a_run_as_ctrl_c_does(trouble: Recipe, background: Background) -> None:
    process = background.into_the_stage("run", trouble.file)
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=20)[1].startswith("error: interrupted")
    assert process.returncode == 130


def test_two_modules_that_swap_their_values_are_not_the_same_code(code: Code) -> None:
    code.write(
        stage="from a import SIZE\nimport b\ndef run():\n    return SIZE, b.SIZE\n", a="SIZE = 1\n", b="SIZE = 2\n"
    )
    before = key_of(code)
    edit(code.folder / "a.py", "1", "2")
    edit(code.folder / "b.py", "2", "1")
    assert key_of(code) != before


def key_of(code: Code) -> str:
    from pipeline.fingerprint import key

    found = code.follow()
    return key({"stage": "run", "code": found.definitions, "imports": found.imports})


def test_a_second_recipe_of_the_same_name_takes_the_place_and_cleaning_keeps_both(made: Recipe, tmp_path: Path) -> None:
    made.run()
    other = tmp_path / "elsewhere" / made.file.name
    other.parent.mkdir()
    for file in made.file.parent.glob("*.*"):
        (other.parent / file.name).write_bytes(file.read_bytes())
    done = made.cli("run", other, "writing.text=other")
    assert f"holds the results of {made.file}; these take their place, and the store keeps both" in done.stdout
    made.cli("clean")
    assert made.run() == {}


def test_an_entry_without_a_record_is_cleaned_away(made: Recipe) -> None:
    made.run()
    (made.entry("write") / "record.json").write_text("", encoding="utf-8")
    assert "  damaged\n" in made.cli("clean", "--dry-run").stdout
    assert made.entry("write").exists()
    made.cli("clean")
    assert not list((made.store / "write").iterdir())


def test_a_link_that_a_stage_leaves_becomes_a_file_and_its_target_stays_as_it_is(
    trouble: Recipe, tmp_path: Path
) -> None:
    big = tmp_path / "big.txt"
    big.write_text("much", encoding="utf-8")
    mode = big.stat().st_mode
    trouble.edit(
        "    return _piece(out, config.word)",
        f'    (out / "big.txt").symlink_to({str(big)!r})\n    return _piece(out, config.word)',
    )
    trouble.run()
    kept = trouble.entry("mine") / "files" / "big.txt"
    assert not kept.is_symlink() and kept.read_text(encoding="utf-8") == "much"
    assert big.stat().st_mode == mode


def test_forcing_a_step_that_the_run_does_not_reach_is_refused(toy: Recipe) -> None:
    refused(toy.call("run", "--until", "write", "--force", "count"), "no step 'count'")


def test_a_plan_waits_only_for_what_is_not_there(made: Recipe) -> None:
    planned = made.planned("writing.text=zz")
    assert planned["write"].startswith("to be made")
    assert planned["double"] == "waits for write"


def test_why_explains_a_step_whose_inputs_have_to_be_made_first(made: Recipe) -> None:
    told = made.call("why", "double", "writing.text=zz").stdout
    assert told.startswith("double: its inputs have to be made first\n")
    assert '"inputs": "to be made first"' in told


@pytest.mark.parametrize("name", ["two words.py", "1st.py", "my.v2.py"])
def test_a_recipe_whose_name_is_no_name_of_a_module_is_refused(toy: Recipe, name: str) -> None:
    other = toy.file.with_name(name)
    other.write_bytes(toy.file.read_bytes())
    refused(toy.cli("run", other), f"{name}: rename it", "letters, digits and _")


def test_a_neighbour_named_like_a_library_does_not_hide_it(trouble: Recipe) -> None:
    trouble.file.with_name("pyarrow.py").write_text("raise RuntimeError('not the real one')\n", encoding="utf-8")
    trouble.edit(
        "    return _piece(out, config.word)", "    import pyarrow\n\n    return _piece(out, pyarrow.__version__)"
    )
    trouble.run()


def test_a_setting_where_the_recipe_should_be_says_so(toy: Recipe) -> None:
    refused(
        toy.cli("run", "corpus.source=my.csv"),
        "RECIPE is missing before corpus.source=my.csv; the recipes are: ",
    )


@pytest.mark.parametrize("name", ["DATA", "MODEL", "REPO", "SET", "EPOCHS"])
def test_make_takes_settings_from_its_own_command_line_only(name: str) -> None:
    def settings(*more: str) -> str:
        command = ["env", *more, "make", "-n", "--old-file", ".venv/ready", "finetune", "RECIPE=sentiment"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert settings() == settings(f"{name}=from-outside")


def test_finetune_never_publishes() -> None:
    command = ["make", "-n", "--old-file", ".venv/ready", "finetune", "RECIPE=sentiment", "REPO=me/model"]
    assert "publication" not in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("given", "extras"),
    [
        (["setup"], []),
        (["setup", "EXTRAS=japanese bitsandbytes"], ["bitsandbytes", "japanese"]),
        (["finetune", "SET=export.formats=safetensors,openvino"], ["openvino"]),
        (["finetune", "BACKEND=tensorflow"], ["tensorflow"]),
        (["finetune", "SET=export.formats=safetensors,litert training.epochs=1"], ["tensorflow"]),
        (["finetune", "SET=training.optimizer=paged_adamw_8bit", "EXTRAS=japanese"], ["bitsandbytes", "japanese"]),
        (["finetune", "SET=task.text=8bit"], []),
    ],
    ids=" ".join,
)
def test_make_installs_the_extras_that_are_asked_for(given: list[str], extras: list[str]) -> None:
    command = ["make", "-n", "-B", *given]
    done = subprocess.run([*command, "RECIPE=sentiment"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r'--editable "\.\[(\w+)\]"', done.stdout) == extras


def test_make_names_the_extras_there_are() -> None:
    done = subprocess.run(["make", "-n", "setup", "EXTRAS=flemish"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert (
        "EXTRAS=flemish: there is no such extra; there are tensorflow japanese korean bitsandbytes openvino"
        in done.stderr
    )


def test_code_that_is_edited_while_a_run_waits_for_cleaning_is_not_taken_for_what_ran(
    trouble: Recipe, background: Background
) -> None:
    background.into_the_stage("run", trouble.file, "word=iron")
    cleaning = background.start("clean")
    until(cleaning.stdout.readline)
    late = background.start("run", trouble.file, "word=gold")
    assert until(late.stdout.readline).startswith("waiting for ")
    trouble.edit("cast {metal", "new cast {metal")
    background.let_go()
    assert "what it depends on changed since this run began (code of trouble:cast changed" in late.communicate()[1]
    assert trouble.run("word=gold").keys() == {"cast"}
    assert (trouble.results / "piece.txt").read_text(encoding="utf-8") == "new cast gold, before=False"


def test_an_input_that_another_run_makes_otherwise_meanwhile_is_not_taken_for_the_one_that_was_read(
    trouble: Recipe, background: Background
) -> None:
    trouble.edit("_piece(out, config.word)", "_piece(out, str(time.time_ns()))")  # never twice the same
    process = background.into_the_stage("run", trouble.file)
    assert trouble.run("--until", "mine", "--force", "mine") == {"mine": "forced"}
    background.let_go()
    assert "smelt: ore was made again by another run meanwhile; run the same again" in process.communicate()[1]
    assert process.returncode == 2
    assert trouble.run().keys() == {"smelt", "cast"}


def test_byte_code_of_before_an_edit_that_times_do_not_show_is_not_run(toy: Recipe) -> None:
    words, compiles = toy.file.parent / "words.py", {"PYTHONDONTWRITEBYTECODE": ""}
    toy.run(**compiles)
    before = words.stat()
    assert list(words.parent.glob("__pycache__/words.*.pyc"))
    edit(words, "len(text.splitlines())", "7+len(text.split())   ")
    os.utime(words, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert words.stat().st_size == before.st_size
    assert "count" in toy.run(**compiles)
    assert (toy.results / "report" / "count.txt").read_text(encoding="utf-8") == "13 of them\n"
