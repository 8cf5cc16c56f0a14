"""Tables as Grafana joins them: rows of several queries that have the same labels are one row."""

from collections.abc import Iterable, Mapping, Sequence

from leeway_dashboards.live import Series

Row = dict[str, str | float]


def joined(answers: Sequence[tuple[str, Sequence[Series]]]) -> list[Row]:
    """Rows of labels and values.

    Args:
        answers: name of each query, with the series that it gave.

    Returns:
        A row per set of labels: a column per label, and `Value #<query>`, or `Value` of the only query.
    """
    table: list[Row] = []
    for ref, series in answers:
        column = "Value" if len(answers) == 1 else f"Value #{ref}"
        for one in series:
            row: Row = {**one.labels, column: one.points[-1][1]}
            same = [found for found in table if column not in found and _agree(found, one.labels)]
            for found in same:
                found.update(row)
            if not same:
                table.append(row)
    return table


def _agree(row: Row, labels: Mapping[str, str]) -> bool:
    shared = [name for name in labels if name in row]
    return bool(shared) and all(row[name] == labels[name] for name in shared)


def ordered(table: Iterable[Row], columns: Sequence[str]) -> list[Row]:
    """The rows by their first columns, texts before numbers."""
    return sorted(table, key=lambda row: [str(row.get(name, "")) for name in columns])
