"""What runs when a module is imported counts for every stage that imports it."""

from __future__ import annotations

from tests.engine.conftest import Code

RUN = "\n\ndef run():\n    return 1\n"


def test_effects_of_the_stages_own_module_count(code: Code) -> None:
    code.write(stage="import os\nos.environ['A_B'] = '1'" + RUN)
    assert code.notices("stage.py", "'1'", "'2'")


def test_effects_of_an_imported_module_count_though_nothing_of_it_is_used(code: Code) -> None:
    code.write(stage="import helper" + RUN, helper="import os\nos.environ['A_B'] = '1'\n")
    assert code.notices("helper.py", "'1'", "'2'")


def test_what_effects_use_counts(code: Code) -> None:
    code.write(
        stage="import helper" + RUN, helper="from far import patch\npatch()\n", far="def patch():\n    return 5\n"
    )
    assert code.notices("far.py", "return 5", "return 6")


def test_effects_of_packages_on_the_way_count(code: Code) -> None:
    code.write(stage="from pkg.deep.part import thing\n\ndef run():\n    return thing\n",
               pkg____init__="print('pkg')\n", pkg__deep____init__="print('deep')\n", pkg__deep__part="thing = 1\n")  # fmt: skip
    assert code.notices("pkg/__init__.py", "'pkg'", "'bag'")
    assert code.notices("pkg/deep/__init__.py", "'deep'", "'flat'")


def test_effects_of_a_module_imported_by_its_dotted_name_count(code: Code) -> None:
    code.write(stage="import pkg.patches" + RUN, pkg____init__="", pkg__patches="print('patched')\n")
    assert code.notices("pkg/patches.py", "patched", "mended")


def test_effects_of_each_of_two_modules_of_one_package_count(code: Code) -> None:
    code.write(
        stage="import pkg.one\nimport pkg.two" + RUN, pkg____init__="", pkg__one="print(1)\n", pkg__two="print(2)\n"
    )
    assert code.notices("pkg/one.py", "1", "10")
    assert code.notices("pkg/two.py", "2", "20")


def test_effects_of_a_module_imported_inside_a_function_count(code: Code) -> None:
    code.write(stage="def run():\n    import helper  # noqa\n    return 1\n", helper="print('patched')\n")
    assert code.notices("helper.py", "patched", "mended")


def test_effects_of_a_star_import_count(code: Code) -> None:
    code.write(stage="import middle" + RUN, middle="from helper import *\n", helper="print('patched')\n")
    assert code.notices("helper.py", "patched", "mended")


def test_effects_are_counted_once(code: Code) -> None:
    code.write(stage="import helper\n\ndef run():\n    return helper.go()\n",
               helper="print('hello')\n\ndef go():\n    return 1\n")  # fmt: skip
    assert code.follow().definitions.keys() == {"stage:run", "helper:go", "helper::effects"}


def test_a_function_that_registers_itself_counts(code: Code) -> None:
    code.write(stage="import kinds\nfrom table import TABLE\n\ndef run():\n    return TABLE\n",
               table="TABLE = []\n\ndef known(f):\n    TABLE.append(f)\n    return f\n",
               kinds="from table import known\n\n@known\ndef first():\n    return 1\n")  # fmt: skip
    assert code.notices("kinds.py", "return 1", "return 10")


def test_a_change_to_a_constant_after_its_definition_counts(code: Code) -> None:
    text = "TABLE = {}\nTABLE['a'] = 1\nSUM = 0\nSUM += 2\nfor i in range(3):\n    SUM += i\n"
    code.write(stage="from table import TABLE, SUM\n\ndef run():\n    return TABLE, SUM\n", table=text)
    assert code.notices("table.py", "['a'] = 1", "['a'] = 7")
    assert code.notices("table.py", "+= 2", "+= 8")
    assert code.notices("table.py", "range(3)", "range(9)")


def test_a_definition_under_a_condition_counts(code: Code) -> None:
    text = "import os\n\nif os.name:\n    def used():\n        return 1\nelse:\n    used = None\n"
    code.write(stage="from helper import used\n\ndef run():\n    return used()\n", helper=text)
    assert code.notices("helper.py", "return 1", "return 10")
