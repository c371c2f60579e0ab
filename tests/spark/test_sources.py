"""Any team's tables come out as the contract's columns, or one clear line says why not."""

from datetime import datetime

import pytest

from trackrec.histories.sources.cleaning import clean_interactions, clean_items
from trackrec.histories.sources.reader import read_sources, read_table
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import Settings, SourceSettings, TableSource
from trackrec.tables import schemas

pytestmark = pytest.mark.spark

MODELS = {"generator": {"model": {"source": "path:/g"}}, "encoder": {"model": {"source": "path:/e"}}}


@pytest.fixture
def stored(spark, tmp_path):
    """Store rows as parquet (or another format) and return its TableSource."""

    def store(rows, schema, format="parquet", **settings):
        path = str(tmp_path / "table")
        spark.createDataFrame(rows, schema).write.format(format).mode("overwrite").save(path)
        return TableSource(format=format, path=path, **settings)

    return store


def refused(spark, source, table):
    with pytest.raises(BadInputError) as caught:
        read_table(spark, source, table)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("format", ["delta", "parquet"])
def test_columns_are_renamed_and_unknown_ones_dropped(spark, stored, format):
    source = stored(
        [("u1", 7, 1704067200, 4.0, "x")], "uid string, `item.id` bigint, ts bigint, rating double, extra string",
        format, columns={"user_id": "uid", "item_id": "item.id", "event_time": "ts"},
    )  # fmt: skip
    frame = read_table(spark, source, schemas.INTERACTIONS)
    assert frame.columns == schemas.INTERACTIONS.column_names
    assert [tuple(r) for r in frame.collect()] == [("u1", "7", 1704067200, 4.0, None, None, None)]


def test_absent_nullable_columns_are_null_of_their_type(spark, stored):
    frame = read_table(spark, stored([("1", "a")], "item_id string, title string"), schemas.ITEMS)
    assert frame.dtypes == [
        ("item_id", "string"), ("title", "string"), ("attributes", "array<string>"), ("year", "int"),
        ("description", "string"),
    ]  # fmt: skip


def test_a_csv_is_read_as_strings_whatever_its_options_say(spark, tmp_path):
    (tmp_path / "t.csv").write_text("user_id|item_id|event_time|rating\n007|01|2024-01-01|4\n")
    source = TableSource(format="csv", path=str(tmp_path / "t.csv"), options={"sep": "|", "inferSchema": "true"})
    frame = read_table(spark, source, schemas.INTERACTIONS)
    assert [tuple(r) for r in frame.collect()] == [("007", "01", "2024-01-01", "4", None, None, None)]


@pytest.fixture
def csv_items(spark, tmp_path):
    """Items as ``read_table`` gives them from the text of a CSV file, sorted."""

    def read(text, encoding="utf-8", **options):
        (tmp_path / "items.csv").write_bytes(text.encode(encoding))
        source = TableSource(format="csv", path=str(tmp_path / "items.csv"), options=options, attribute_separator="|")
        items = read_table(spark, source, schemas.ITEMS).select("item_id", "title", "attributes")
        return sorted(tuple(row) for row in items.collect())

    return read


def test_doubled_quotes_and_commas_inside_a_csv_cell_stay_in_it(csv_items):
    assert csv_items('item_id,title,attributes\n1,"faltbar ""Alba"", rot",Küche|Kaffee\n2,""",""",\n') == [
        ("1", 'faltbar "Alba", rot', ["Küche", "Kaffee"]),
        ("2", '","', None),
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_csv_cell_may_hold_line_breaks(csv_items, line_end, encoding):
    text = 'item_id,title,attributes\n1,"zwei\nZeilen, ""ja""",Büro\n2,悲惨世界,\n'.replace("\n", line_end)
    assert csv_items(text, encoding) == [
        ("1", 'zwei\nZeilen, "ja"', ["Büro"]),
        ("2", "悲惨世界", None),
    ]


def test_csv_options_of_the_settings_stand_above_standard_quoting(csv_items):
    backslashed = 'item_id;title\n1;"faltbar \\"Alba\\"; rot"\n'
    assert csv_items(backslashed, sep=";", Escape="\\") == [("1", 'faltbar "Alba"; rot', None)]
    assert csv_items("item_id,title\n1,'it''s, red'\n", quote="'") == [("1", "it's, red", None)]
    by_line = csv_items('item_id,title\n1,"zwei\nZeilen"\n', multiLine="false")
    assert [item_id for item_id, _, _ in by_line] == ["1", 'Zeilen"']


def test_without_quoting_a_quote_in_a_csv_is_a_character_like_any_other(csv_items):
    assert csv_items('item_id\ttitle\n1\t"Crocodile" Dundee\n2\t"open\n3\tplain\n', sep="\t", quote="") == [
        ("1", '"Crocodile" Dundee', None),
        ("2", '"open', None),
        ("3", "plain", None),
    ]


def test_a_quote_that_is_never_closed_is_bad_input_and_loses_no_rows_in_silence(spark, tmp_path):
    titles = [f"title {n} of a long catalogue" for n in range(60_000)]
    titles[100] = '"' + titles[100]
    lines = "".join(f"{n},{title},A\n" for n, title in enumerate(titles))
    (tmp_path / "items.csv").write_text("item_id,title,attributes\n" + lines)
    source = TableSource(format="csv", path=str(tmp_path / "items.csv"))
    items = clean_items(read_table(spark, source, schemas.ITEMS), 80)
    with pytest.raises(BadInputError, match=r"table items: a file of it cannot be read to its end.*never closed"):
        items.count()


def catalogue_with_an_open_quote(lines_behind):
    rows = [f"{n},title {n},A|B" for n in range(20 + lines_behind)]
    rows[19] = '19,"title 19,A|B'
    return "item_id,title,attributes\n" + "\n".join(rows) + "\n"


@pytest.fixture
def counted_items(spark, tmp_path):
    """The counts of a CSV of items with the text given."""

    def count(text):
        (tmp_path / "items.csv").write_text(text)
        source = TableSource(format="csv", path=str(tmp_path / "items.csv"), attribute_separator="|")
        return clean_items(read_table(spark, source, schemas.ITEMS), 80, source).count()

    return count


def test_a_quote_that_swallows_rows_without_filling_a_cell_is_bad_input_with_its_lines_and_row(counted_items):
    with pytest.raises(BadInputError, match=r"table items: a cell of .*title 19.* has 1,0\d\d lines.*never closed"):
        counted_items(catalogue_with_an_open_quote(1000))


def test_a_quote_that_is_opened_in_the_attributes_is_found_behind_their_separator(counted_items):
    text = catalogue_with_an_open_quote(1000).replace('19,"title 19,A|B', '19,title 19,"A|B')
    with pytest.raises(BadInputError, match=r"table items: a cell of .* lines"):
        counted_items(text)


def test_a_quote_that_is_never_closed_in_the_interactions_is_bad_input(spark, tmp_path):
    rows = ["u1,i1,2024-01-01,4", 'u2,i1,"2024-01-01,4', *(f"u{n},i1,2024-01-01,4" for n in range(3, 30))]
    (tmp_path / "log.csv").write_text("user_id,item_id,event_time,rating\n" + "\n".join(rows) + "\n")
    source = TableSource(format="csv", path=str(tmp_path / "log.csv"))
    raw = read_table(spark, source, schemas.INTERACTIONS)
    with pytest.raises(BadInputError, match=r"table interactions: a cell of .* has 2\d lines"):
        clean_interactions(raw, SourceSettings(interactions=source)).count()


def test_a_description_may_have_a_hundred_lines_and_one_that_swallowed_rows_is_bad_input(counted_items):
    head = "item_id,title,attributes,description\n"
    assert counted_items(f'{head}1,a,A,"{"line" + chr(10) * 90}"\n2,b,B,\n').descriptions == 1
    open_quote = head + '1,a,A,"open\n' + "".join(f"{n},title {n},A,text {n}\n" for n in range(2, 400))
    with pytest.raises(BadInputError, match=r"table items: a cell of .* has 400 lines.*never closed"):
        counted_items(open_quote)


def test_a_title_of_six_lines_is_a_title(counted_items):
    assert counted_items('item_id,title,attributes\n1,"a\nb\nc\nd\ne\nf",A\n2,b,B\n').good == 2


def test_a_long_text_of_a_table_that_is_no_csv_is_a_cell_like_any_other(spark, stored):
    source = stored([("1", "a\nb\nc\nd\ne\nf\ng\nh")], "item_id string, title string")
    assert clean_items(read_table(spark, source, schemas.ITEMS), 80, source).count().good == 1


def test_ids_are_trimmed(spark, stored):
    source = stored([(" u\t", "profile ")], "user_id string, profile string")
    assert [tuple(r) for r in read_table(spark, source, schemas.USERS).collect()] == [("u", "profile ")]


@pytest.mark.parametrize(("separator", "text"), [(" ", "a b c"), ("|", "a|b|c"), (", ", "a, b, c"), (".", "a.b.c")])
def test_attributes_in_one_string_are_split_at_the_separator(spark, stored, separator, text):
    source = stored(
        [("1", "t", text)], "item_id string, title string, attributes string", attribute_separator=separator
    )
    assert read_table(spark, source, schemas.ITEMS).collect()[0].attributes == ["a", "b", "c"]


def test_a_table_is_found_by_its_catalog_name(spark, stored):
    source = stored([("u",)], "user_id string")
    spark.sql(f"CREATE TABLE spark_catalog.default.who USING parquet LOCATION '{source.path}'")
    try:
        named = TableSource(format="parquet", path="spark_catalog.default.who")
        assert [r.user_id for r in read_table(spark, named, schemas.USERS).collect()] == ["u"]
    finally:
        spark.sql("DROP TABLE spark_catalog.default.who")


@pytest.mark.parametrize(
    ("format", "path"),
    [
        ("delta", "/no/such/folder"),
        ("parquet", "/no/such/folder"),
        ("csv", "/no/such.csv"),
        ("delta", "spark_catalog.default.absent"),
        ("parquet", "nowhere.default.absent"),
    ],
)
def test_a_missing_table_is_named_with_the_setting_to_correct(spark, format, path):
    message = refused(spark, TableSource(format=format, path=path), schemas.INTERACTIONS)
    assert f"table interactions: {path} does not exist or cannot be read as {format}" in message
    assert ("Set spark.sql.catalog.<name>" in message) == path.startswith("nowhere")
    assert "source.interactions.path" in message


def test_a_file_of_another_format_is_named(spark, tmp_path):
    (tmp_path / "t.parquet").write_text("user_id\nu\n")
    message = refused(spark, TableSource(format="parquet", path=str(tmp_path / "t.parquet")), schemas.USERS)
    assert "t.parquet does not exist or cannot be read as parquet (FAILED_READ_FILE" in message


def test_missing_columns_are_all_named_beside_those_present(spark, stored):
    source = stored([("u", 1)], "uid string, ts int", columns={"event_time": "when"})
    message = refused(spark, source, schemas.INTERACTIONS)
    assert "missing user_id, item_id, event_time (mapped to when), rating or label. Present: uid, ts." in message
    assert "source.interactions.columns" in message


def test_items_need_a_title_column(spark, stored):
    assert "missing title. Present: item_id." in refused(spark, stored([("1",)], "item_id string"), schemas.ITEMS)


def test_a_mapped_column_that_is_absent_is_missing_even_if_it_may_be_null(spark, stored):
    source = stored([("u",)], "user_id string", columns={"profile": "about"})
    assert "missing profile (mapped to about)" in refused(spark, source, schemas.USERS)


def test_a_mapping_for_a_column_that_the_contract_lacks_is_refused(spark, stored):
    source = stored([("u",)], "user_id string", columns={"name": "user_id"})
    assert "users has no column name. Write one of user_id, profile first, the name in your table second." in refused(
        spark, source, schemas.USERS
    )


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        ("user_id", "struct<a:int>"),
        ("item_id", "double"),
        ("event_time", "boolean"),
        ("event_time", "float"),
        ("rating", "array<double>"),
        ("label", "map<string,int>"),
    ],
)
def test_a_type_that_can_never_be_cast_is_named(spark, stored, column, type_):
    types = {"user_id": "string", "item_id": "string", "event_time": "timestamp", "rating": "double", "label": "int"}
    source = stored([], ", ".join(f"{name} {kind}" for name, kind in (types | {column: type_}).items()))
    message = refused(spark, source, schemas.INTERACTIONS)
    assert f"table interactions ({source.path}): {column} is {type_}, expected " in message


def test_a_year_may_be_a_number_a_string_or_a_date_and_nothing_else(spark, stored):
    for type_ in ("int", "double", "string", "date", "timestamp"):
        read_table(spark, stored([], f"item_id string, title string, year {type_}"), schemas.ITEMS)
    message = refused(spark, stored([], "item_id string, title string, year boolean"), schemas.ITEMS)
    assert "year is boolean, expected a number or a date." in message


def test_a_source_that_is_not_given_is_named(spark):
    with pytest.raises(BadInputError, match=r"setting source\.interactions is not given"):
        read_sources(spark, Settings(**MODELS, source=SourceSettings(kind="tables")))


def test_movielens_is_read_by_the_ordinary_reader(spark, tmp_path):
    sources = read_sources(spark, Settings(**MODELS, cache=str(tmp_path), source=SourceSettings(kind="movielens")))
    interactions = clean_interactions(sources.interactions, SourceSettings())
    counts = interactions.count()
    assert (counts.rows_in, counts.good, counts.quarantined, counts.late) == (100_000, 100_000, {}, 0)
    first = interactions.good.orderBy("event_time", "item_id").first()
    assert (first.user_id, first.event_time) == (
        "259",
        datetime(1997, 9, 20, 3, 5, 10),
    )
    assert interactions.good.where("label = 1").count() == 55_375
    items = clean_items(sources.items, 80)
    assert (items.count().good, items.count().placeholders, sources.users.count()) == (1682, 0, 943)
    film = items.good.where("item_id = '1'").first()
    assert (film.title, film.attributes, film.year) == ("Toy Story", ["Animation", "Children's", "Comedy"], 1995)
    assert (items.count().years, items.count().unusable_years) == (1680, 2)


def test_a_decade_is_an_attribute_where_the_settings_say_so(spark, tmp_path):
    sources = read_sources(spark, Settings(**MODELS, cache=str(tmp_path), source=SourceSettings(kind="movielens")))
    items = clean_items(sources.items, 80, decades=True)
    film = items.good.where("item_id = '1'").first()
    assert film.attributes == ["Animation", "Children's", "Comedy", "1990s"]
    assert items.good.where("exists(attributes, a -> a RLIKE '^1[0-9]{2}0s$')").count() == items.count().years == 1680


@pytest.mark.slow
def test_movielens_1m_is_read_by_the_ordinary_reader_up_to_its_cut(spark, tmp_path):
    sources = read_sources(spark, Settings(**MODELS, cache=str(tmp_path), source=SourceSettings(kind="movielens-1m")))
    interactions = clean_interactions(sources.interactions, SourceSettings())
    counts = interactions.count()
    assert (counts.rows_in, counts.good, counts.quarantined, counts.late) == (947_090, 947_090, {}, 0)
    assert interactions.good.agg({"event_time": "max"}).first()[0] < datetime(2001, 6, 1)
    items = clean_items(sources.items, 80)
    assert (items.count().good, items.count().placeholders, sources.users.count()) == (3883, 0, 6040)
    film = items.good.where("item_id = 'Toy Story (1995)'").first()
    assert (film.title, film.attributes) == ("Toy Story", ["Animation", "Children's", "Comedy"])
    assert interactions.good.join(items.good, "item_id", "left_anti").isEmpty()
