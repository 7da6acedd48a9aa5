"""What code a stage can reach, definition by definition; and what cannot be known."""

from __future__ import annotations

import pytest

from pipeline.sources import Unreadable
from tests.engine.conftest import Code

HELPER = "def used():\n    return 1\n\n\ndef unused():\n    return 2\n"


def test_an_edit_of_a_function_that_is_called_is_noticed(code: Code) -> None:
    code.write(stage="import helper\n\ndef run():\n    return helper.used()\n", helper=HELPER)
    assert code.notices("helper.py", "return 1", "return 10")


def test_an_edit_of_another_function_of_the_same_module_is_free(code: Code) -> None:
    code.write(stage="import helper\n\ndef run():\n    return helper.used()\n", helper=HELPER)
    assert not code.notices("helper.py", "return 2", "return 20")


def test_functions_are_followed_through_functions(code: Code) -> None:
    code.write(stage="from a import one\n\ndef run():\n    return one()\n",
               a="from b import two\n\ndef one():\n    return two()\n", b="def two():\n    return 2\n")  # fmt: skip
    assert code.notices("b.py", "return 2", "return 20")


def test_functions_that_call_each_other_are_followed_to_an_end(code: Code) -> None:
    code.write(stage="import other\n\ndef run(n):\n    return n and other.back(n)\n",
               other="import stage\n\ndef back(n):\n    return stage.run(n - 1)\n")  # fmt: skip
    assert code.follow().definitions.keys() == {"stage:run", "other:back"}


def test_an_import_inside_a_function_is_followed(code: Code) -> None:
    code.write(stage="def run():\n    from helper import used\n\n    return used()\n", helper=HELPER)
    assert code.notices("helper.py", "return 1", "return 10")
    assert not code.notices("helper.py", "return 2", "return 20")


def test_an_import_in_a_nested_function_is_followed(code: Code) -> None:
    text = "def run():\n    def inner():\n        import helper as h\n        return h.used()\n    return inner()\n"
    code.write(stage=text, helper=HELPER)
    assert code.notices("helper.py", "return 1", "return 10")


def test_relative_imports_are_followed(code: Code) -> None:
    code.write(pkg____init__="", pkg__helper=HELPER, pkg__deep____init__="",
               pkg__deep__stage="from ..helper import used\nfrom . import near\n\ndef run():\n    return used(), near.by()\n",
               pkg__deep__near="def by():\n    return 3\n")  # fmt: skip
    code.write(stage="from pkg.deep.stage import run\n")
    assert code.notices("pkg/helper.py", "return 1", "return 10")
    assert code.notices("pkg/deep/near.py", "return 3", "return 30")


def test_import_as_is_followed(code: Code) -> None:
    code.write(
        stage="import pkg.helper as h\n\ndef run():\n    return h.used()\n", pkg____init__="", pkg__helper=HELPER
    )
    assert code.notices("pkg/helper.py", "return 1", "return 10")
    assert not code.notices("pkg/helper.py", "return 2", "return 20")


def test_a_dotted_import_is_followed(code: Code) -> None:
    code.write(
        stage="import pkg.helper\n\ndef run():\n    return pkg.helper.used()\n", pkg____init__="", pkg__helper=HELPER
    )
    assert code.notices("pkg/helper.py", "return 1", "return 10")


def test_a_name_that_a_package_hands_on_is_followed(code: Code) -> None:
    code.write(stage="from pkg import used\n\ndef run():\n    return used()\n",
               pkg____init__="from pkg.helper import used\n", pkg__helper=HELPER)  # fmt: skip
    assert code.notices("pkg/helper.py", "return 1", "return 10")
    assert not code.notices("pkg/helper.py", "return 2", "return 20")


def test_star_imports_are_followed(code: Code) -> None:
    code.write(
        stage="from helper import *\n\ndef run():\n    return used()\n", helper="from far import *\n", far=HELPER
    )
    assert code.notices("far.py", "return 1", "return 10")


def test_a_module_handed_on_as_a_value_counts_whole(code: Code) -> None:
    code.write(stage="import helper\n\ndef run(name):\n    return getattr(helper, name)()\n", helper=HELPER)
    assert code.notices("helper.py", "return 2", "return 20")


def test_base_classes_and_their_methods_count(code: Code) -> None:
    code.write(stage="from base import Base\n\nclass Kind(Base):\n    pass\n\ndef run():\n    return Kind().go()\n",
               base="class Base:\n    def go(self):\n        return 1\n")  # fmt: skip
    assert code.notices("base.py", "return 1", "return 10")


def test_decorators_count(code: Code) -> None:
    code.write(stage="from deco import twice\n\n@twice\ndef run():\n    return 1\n",
               deco="def twice(f):\n    return lambda: f() + f()\n")  # fmt: skip
    assert code.notices("deco.py", "f() + f()", "f() * f()")


def test_module_constants_count(code: Code) -> None:
    code.write(stage="from limits import LIMIT, OTHER\nSIZE = 2 * LIMIT\n\ndef run():\n    return SIZE\n",
               limits="LIMIT: int = 3\nOTHER = 4\nA, (B, *C) = 1, (2, 3)\n")  # fmt: skip
    assert code.notices("limits.py", "= 3", "= 5")
    assert not code.notices("limits.py", "= 4", "= 6")


def test_default_values_and_annotations_count(code: Code) -> None:
    code.write(stage="from kinds import Kind, SIZE\n\ndef run(kind: Kind, size=SIZE):\n    return kind.name()\n",
               kinds="SIZE = 1\n\nclass Kind:\n    def name(self):\n        return 'kind'\n")  # fmt: skip
    assert code.notices("kinds.py", "SIZE = 1", "SIZE = 2")
    assert code.notices("kinds.py", "'kind'", "'sort'")


def test_what_is_imported_for_types_only_is_free(code: Code) -> None:
    text = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from helper import used\n\n"
    code.write(stage=text + "def run(f: 'used'):\n    return f\n", helper=HELPER)
    assert code.follow().definitions.keys() == {"stage:run"}
    assert not code.notices("stage.py", "import used", "import unused")


def test_what_stands_in_place_of_a_type_at_run_time_counts(code: Code) -> None:
    text = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from helper import used\nelse:\n    used = 1\n\n"
    code.write(stage=text + "def run():\n    return used\n", helper=HELPER)
    assert code.notices("stage.py", "used = 1", "used = 2")


def test_a_name_imported_then_wrapped_leads_to_both(code: Code) -> None:
    code.write(stage="from helper import used\nused = list([used])\n\ndef run():\n    return used\n", helper=HELPER)
    assert code.notices("stage.py", "list", "tuple")
    assert code.notices("helper.py", "return 1", "return 10")


def test_a_name_defined_twice_counts_with_both(code: Code) -> None:
    code.write(stage="def run():\n    return 1\n\nfirst = run\n\ndef run():\n    return first()\n")
    assert code.notices("stage.py", "return 1", "return 10")


def test_an_import_that_may_fail_is_followed_both_ways(code: Code) -> None:
    text = "try:\n    from fast import used\nexcept ImportError:\n    from slow import used\n\n\n"
    code.write(stage=text + "def run():\n    return used()\n", fast=HELPER, slow=HELPER)
    assert code.notices("fast.py", "return 1", "return 10")
    assert code.notices("slow.py", "return 1", "return 10")


def test_either_import_of_one_name_inside_a_function_is_followed(code: Code) -> None:
    text = "def run(x):\n    if x:\n        from fast import used\n    else:\n        from slow import used\n    return used()\n"
    code.write(stage=text, fast=HELPER, slow=HELPER)
    assert code.notices("fast.py", "return 1", "return 10")
    assert code.notices("slow.py", "return 1", "return 10")


def test_an_import_under_a_condition_is_followed(code: Code) -> None:
    text = "import sys\n\nif sys.platform != 'plan9':\n    import helper\n\n\ndef run():\n    return helper.used()\n"
    code.write(stage=text, helper=HELPER)
    assert code.notices("helper.py", "return 1", "return 10")


def test_an_import_that_now_means_another_function_is_noticed(code: Code) -> None:
    text = "from helper import used as left, unused as right\n\n\ndef run():\n    return left() - right()\n"
    code.write(stage=text, helper=HELPER)
    assert code.notices("stage.py", text.splitlines()[0], "from helper import unused as left, used as right")


def test_an_import_that_now_means_another_part_of_a_library_is_noticed(code: Code) -> None:
    code.write(stage="from filelock import SoftFileLock as Lock\n\n\ndef run():\n    return Lock\n")
    assert code.notices("stage.py", "SoftFileLock", "UnixFileLock")


def test_an_import_inside_a_function_that_now_means_something_else_is_noticed(code: Code) -> None:
    code.write(stage="def run():\n    from math import floor as rounded\n\n    return rounded(1.5)\n")
    assert code.notices("stage.py", "floor", "ceil")


def test_a_package_without_an_init_file_is_followed(code: Code) -> None:
    code.write(stage="from bag.helper import used\n\n\ndef run():\n    return used()\n", bag__helper=HELPER)
    assert code.notices("bag/helper.py", "return 1", "return 10")
    assert code.follow().libraries == {}


def test_a_folder_without_an_init_file_inside_a_package_is_followed(code: Code) -> None:
    code.write(stage="from pkg.bag import helper\n\n\ndef run():\n    return helper.used()\n",
               pkg____init__="", pkg__bag__helper=HELPER)  # fmt: skip
    assert code.notices("pkg/bag/helper.py", "return 1", "return 10")


def test_other_peoples_packages_count_by_version(code: Code) -> None:
    code.write(stage="def run():\n    import filelock\n    import json\n\n    return filelock, json\n")
    found = code.follow()
    assert found.definitions.keys() == {"stage:run"}
    assert found.libraries.keys() == {"filelock"}
    assert found.libraries["filelock"][0].isdigit()


def test_a_library_imported_at_the_top_counts_for_what_uses_it(code: Code) -> None:
    code.write(stage="import filelock\nfrom pytest import approx\n\n\ndef run():\n    return approx(1)\n")
    assert code.follow().libraries.keys() == {"pytest"}


def test_a_library_that_is_not_installed_is_absent(code: Code) -> None:
    code.write(stage="def run():\n    import nowhere_to_be_found\n")
    assert code.follow().libraries == {"nowhere_to_be_found": "absent"}


def test_a_library_is_known_by_the_package_that_brings_it(code: Code) -> None:
    from importlib.metadata import version

    code.write(stage="def run():\n    import sklearn, yaml\n")
    assert code.follow().libraries == {"sklearn": version("scikit-learn"), "yaml": version("PyYAML")}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from importlib import import_module\n    return import_module(x)", "import_module"),
        ("import importlib\n    return importlib.import_module(x)", "importlib.import_module"),
        ("return __import__(x)", "__import__"),
        ("return eval(x)", "eval"),
        ("exec(x)", "exec"),
        ("return globals()[x]", "globals"),
    ],
)
def test_a_computed_import_is_refused(code: Code, line: str, name: str) -> None:
    code.write(stage=f"def run(x):\n    {line}\n")
    with pytest.raises(Unreadable, match=f"stage:run uses {name}, so what it depends on cannot be known"):
        code.follow()


def test_a_computed_import_under_another_name_is_refused(code: Code) -> None:
    code.write(stage="from importlib import import_module as bring\n\n\ndef run(x):\n    return bring(x)\n")
    with pytest.raises(Unreadable, match="cannot be known"):
        code.follow()


def test_a_method_called_eval_is_nothing_special(code: Code) -> None:
    code.write(stage="def run(model):\n    model.eval()\n    return model.layers[0].eval()\n")
    assert code.follow().definitions.keys() == {"stage:run"}


def test_a_computed_import_that_no_stage_reaches_is_nobodys_business(code: Code) -> None:
    code.write(stage="def run():\n    return 1\n\n\ndef load(x):\n    return __import__(x)\n")
    assert code.follow().definitions.keys() == {"stage:run"}


def test_code_that_cannot_be_found_is_refused(code: Code) -> None:
    code.write(stage="def run():\n    return 1\n")
    with pytest.raises(Unreadable):
        code.follow("__main__", "run")
