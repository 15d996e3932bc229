"""What a list accepts: addresses, numbers, dates, columns."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ongage_async.bulk._fields import FieldRule, are_emails, is_email, neutralised, plan_columns, value_test
from ongage_async.errors import ConfigurationError, CSVError

RULES = (
    FieldRule("email", "email", mandatory=True),
    FieldRule("first_name"),
    FieldRule("age", "numeric"),
    FieldRule("birthday", "date", "yyyy-mm-dd"),
)


@pytest.mark.parametrize(
    "address",
    [
        "john@doe.com",
        "j.o+h-n_1@a-b.c.co.uk",
        "o'neil@x.museum",
        "zoë@müller.de",
        "用户@例子.公司",
        "a@देवनागरी.भारत",
        "a@1.fr",
    ],
)
def test_addresses_that_people_have_pass(address):
    assert is_email(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "john",
        "john@",
        "@doe.com",
        "john@doe",
        "john@doe.",
        "john@.com",
        "john@doe..com",
        "a@b@c.com",
        "jo hn@doe.com",
        "john@doe.c",
        "John <john@doe.com>",
        "a@b.com,c@d.com",
        "a@b.com;c@d.com",
        "mailto:john@doe.com",
        "john@doe.com\0",
        "john\u200b@doe.com",
        "john@doe.com\u00a0x",
        "x" * 250 + "@doe.com",
    ],
)
def test_what_is_no_address_fails(text):
    assert not is_email(text)


PIECES = st.lists(st.sampled_from([*"aZ0.@-_+=ü ,\n\r\u200b", "b.co", "@b.co", "a@b.co"]), max_size=6).map("".join)


@example(texts=["a@b.co\na@b.co"])
@given(texts=st.lists(PIECES | st.just("x" * 250 + "@b.co"), max_size=4))
def test_many_addresses_are_judged_as_each_of_them(texts):
    """The quick look at all of them lets nothing pass that the look at one does not."""
    assert are_emails(texts) == all(map(is_email, texts))


DAYS = {
    "dd/mm/yyyy": "31/12/2024",
    "mm/dd/yyyy": "12/31/2024",
    "yyyy/mm/dd": "2024/12/31",
    "dd-mm-yyyy": "31-12-2024",
    "mm-dd-yyyy": "12-31-2024",
    "yyyy-mm-dd": "2024-12-31",
}


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize(("clock", "time"), [("", ""), (" hh24:mi", " 23:59"), (" hh24:mi:ss", " 23:59:59")])
def test_each_of_the_18_date_formats_takes_its_dates_and_no_others(day, clock, time):
    found = value_test(FieldRule("when", "date", day + clock))
    assert found is not None
    test, reason = found
    value = DAYS[day] + time
    others = [other + time for pattern, other in DAYS.items() if pattern != day]
    wrong = [value + "0", value[1:], value + " ", value.replace("31", "32"), value.replace("12", "13", 1), "", "x"]
    assert test(value)
    assert reason == f"when: not a date as {day + clock}"
    assert [other for other in others + wrong if test(other)] == []
    assert not test(value + " 12:00" if not time else value.replace("59", "60", 1))


def test_the_calendar_is_known():
    test = value_test(FieldRule("when", "date", "yyyy-mm-dd"))[0]
    assert test("2024-02-29")
    assert not test("2023-02-29")
    assert not test("0000-01-01")
    assert not test("२०२४-01-01")


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("0", 1),
        ("-1.5", 1),
        ("+7", 1),
        ("1.", 1),
        (".5", 1),
        ("1e5", 0),
        ("1,5", 0),
        ("٣", 0),
        ("-", 0),
        (".", 0),
        ("NaN", 0),
    ],
)
def test_numbers_are_plain_decimals(value, good):
    assert bool(value_test(FieldRule("n", "numeric"))[0](value)) is bool(good)


@pytest.mark.parametrize(
    "rule", [FieldRule("x", "string"), FieldRule("x", "geo"), FieldRule("x", "date", "mm.dd"), FieldRule("x", "date")]
)
def test_what_is_not_known_is_not_checked(rule):
    assert value_test(rule) is None


def test_columns_find_their_fields_by_name_in_any_case():
    plan = plan_columns([" Email", "FIRST_NAME ", "age"], RULES)
    assert plan.sent == ((0, "email"), (1, "first_name"), (2, "age"))


@pytest.mark.parametrize("name", ["email", "E-Mail", "email_address", "Email Address", "MAIL", "EmailAddress"])
def test_the_email_column_is_guessed(name):
    assert plan_columns(["age", name], RULES).email == 1


def test_a_list_field_is_not_taken_for_the_address():
    assert plan_columns(["mail", "e-mail"], [*RULES, FieldRule("mail")]).sent == ((0, "mail"), (1, "email"))


def test_mapping_wins_and_none_leaves_a_column_out():
    mapping = {"adresse": "email", "vorname": "first_name", "notes": None}
    plan = plan_columns(["adresse", "vorname", "notes", "other"], RULES, mapping=mapping)
    assert plan.sent == ((0, "email"), (1, "first_name"))
    assert plan.unknown == ("other",)


@pytest.mark.parametrize("mapping", [{"adresse": "email"}, {"mail": "phone"}])
def test_a_mapping_of_what_is_not_there_is_refused(mapping):
    with pytest.raises(ConfigurationError, match="mapping"):
        plan_columns(["mail"], RULES, mapping=mapping)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (["first_name", "age"], "no email column"),
        (["email;first_name;age"], "no email column"),
        (["email", "age", "age"], "duplicate column"),
        (["email", "Email"], "duplicate column"),
        (["john@doe.com", "John"], "no header"),
    ],
)
def test_headers_that_cannot_be_used_are_refused(header, reason):
    with pytest.raises(CSVError) as caught:
        plan_columns(header, RULES)
    assert (caught.value.reason, caught.value.row) == (reason, 1)
    assert "john@doe.com" not in str(caught.value)


def test_columns_without_a_name_are_told_apart_and_left_out():
    assert plan_columns(["email", "", ""], RULES).unknown == ("(column 2)", "(column 3)")


def test_unknown_columns_can_be_refused():
    with pytest.raises(CSVError, match='no field for "shoe size"'):
        plan_columns(["email", "shoe size"], RULES, unknown="refuse")


def test_a_mandatory_field_needs_a_column():
    rules = [*RULES, FieldRule("country", mandatory=True)]
    with pytest.raises(CSVError, match='demands "country"'):
        plan_columns(["email"], rules)
    assert plan_columns(["email", "country"], rules).needed == ((1, "country: empty"),)


def test_an_action_on_addresses_sends_nothing_else():
    rules = [*RULES, FieldRule("country", mandatory=True)]
    plan = plan_columns(["age", "email", "other"], rules, only_email=True)
    assert (plan.sent, plan.tests, plan.needed) == (((1, "email"),), (), ())


def test_the_columns_of_a_side_file_are_passed_over():
    plan = plan_columns(["ongage_row", "ongage_reason", "email"], RULES, unknown="refuse")
    assert (plan.own, plan.sent, plan.unknown) == ((0, 1), ((2, "email"),), ())


def test_names_are_matched_without_their_joints_and_shown():
    plan = plan_columns(["E-Mail Address", "First Name", "AGE", "birth-day"], RULES)
    assert plan.sent == ((0, "email"), (1, "first_name"), (2, "age"), (3, "birthday"))


def test_a_column_that_looks_like_a_field_gives_way_to_the_one_that_is():
    plan = plan_columns(["email", "First Name", "first_name"], RULES)
    assert (plan.sent, plan.unknown) == (((0, "email"), (2, "first_name")), ("First Name",))


def test_two_columns_that_look_like_one_field_are_not_guessed():
    assert plan_columns(["email", "First Name", "first-name"], RULES).unknown == ("First Name", "first-name")


def test_a_column_that_is_mapped_away_is_not_guessed():
    assert plan_columns(["email", "First Name"], RULES, mapping={"First Name": None}).sent == ((0, "email"),)


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-1+1", "@SUM(A1)", "＝1"])
def test_formulas_are_neutralised(cell):
    assert neutralised([cell]) == [f"'{cell}"]


@pytest.mark.parametrize("cell", ["", "a=b", "-5", "+33.5", "'=1", "x@y.co"])
def test_what_is_no_formula_stays(cell):
    assert neutralised([cell]) == [cell]
