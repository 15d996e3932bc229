"""The writer of classes: the same fields give the same text, and any field gives Python that stands."""

import datetime as dt
import keyword
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongage_async import ConfigurationError
from ongage_async.cli._codegen import source_of
from ongage_async.fields import DATE_FORMATS
from ongage_async.models import ListField
from tests.codegen import samples

TYPING = Path(__file__).resolve().parents[1] / "typing"
GOLDEN = {"my_fields.py": samples.ordinary, "nasty_fields.py": samples.nasty}


def module_of(source: str) -> ModuleType:
    module = ModuleType("my_fields")
    exec(compile(source, "my_fields.py", "exec"), vars(module))
    return module


def own_attributes(source: str, class_name: str = "MyContact") -> list[str]:
    cls = getattr(module_of(source), class_name)
    return [each.name for each in attrs.fields(cls) if each.name not in ("email", "contact")]


def reformatted(source: str, line_length: int) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(line_length), "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, encoding="utf-8").stdout


@pytest.mark.parametrize("name", GOLDEN)
def test_what_the_type_checkers_read_is_what_is_written(name: str):
    """`make types` checks tests/typing with mypy --strict and pyright; this holds those files to the writer."""
    assert source_of(GOLDEN[name]()) == (TYPING / name).read_text("utf-8")


def test_the_order_of_the_answer_does_not_matter():
    assert source_of(reversed(samples.nasty())) == source_of(samples.nasty())


def test_every_field_gets_one_attribute_of_its_own():
    attributes = own_attributes(source_of(samples.nasty()))
    assert len(attributes) == len(set(attributes)) == len(set(samples.NASTY))
    assert [name for name in attributes if keyword.iskeyword(name) or name.startswith("_")] == []


def test_a_name_that_can_be_an_attribute_is_one_unchanged():
    attributes = own_attributes(source_of(samples.nasty()))
    assert {"import_", "a_b", "x", "x_", "mro", "match", "Name", "name", "prénom"} <= set(attributes)


def test_deleted_and_nameless_fields_and_the_address_are_left_out():
    gone = samples.field(1, "gone", deleted=dt.datetime.now(dt.UTC))
    nameless = ListField(id=9)
    twice = samples.field(3, "name", "numeric")
    source = source_of([samples.field(0, "email", "email"), gone, nameless, samples.field(2, "name"), twice])
    assert own_attributes(source) == ["name"]
    assert 'name: str | None = fields.string("name")' in source


def test_a_list_without_fields_has_a_class_all_the_same():
    source = source_of([], list_id=5)
    assert own_attributes(source) == []
    assert "Hold one contact of list 5." in source


def test_a_mandatory_field_with_a_default_is_filled_in_by_the_vendor():
    source = source_of(samples.ordinary())
    assert 'fields.string("first_name", mandatory=True)' in source
    assert 'class_: str | None = fields.string("class")' in source


@pytest.mark.parametrize("name", ["", "my contact", "class", "2nd", "fields", "str"])
def test_a_name_that_no_class_can_have_is_refused(name: str):
    with pytest.raises(ConfigurationError, match="cannot be the name of a class"):
        source_of([], class_name=name)
    assert "class Mine(" in source_of([], class_name="Mine")


@pytest.mark.parametrize("line_length", [79, 88, 100, 120])
def test_ruff_leaves_the_nasty_list_as_it_is(line_length: int):
    source = source_of(samples.nasty())
    assert reformatted(source, line_length) == source


NAMES = st.one_of(
    st.text(min_size=1, max_size=60),
    st.text(alphabet="ab _-'\"\\{}\n日é", min_size=1, max_size=90),
    st.sampled_from([*keyword.kwlist, *samples.NASTY]),
)
FIELDS = st.lists(
    st.builds(
        samples.field,
        st.integers(0, 50),
        NAMES,
        st.sampled_from(["string", "numeric", "date", "email", "odd", None]),
        st.sampled_from([None, "yyyy", *DATE_FORMATS]),
        mandatory=st.booleans(),
        default=st.sampled_from([None, "", "x"]),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(FIELDS, st.sampled_from([79, 88, 120]))
def test_any_field_gives_python_that_stands_and_that_ruff_leaves_as_it_is(own: list[Any], line_length: int):
    """Whatever names and types: it compiles, each name has its attribute, and the text is formatted."""
    source = source_of(own)
    wire_names = {each.name for each in own} - {"email"}
    assert len(own_attributes(source)) == len(wire_names)
    assert reformatted(source, line_length) == source
