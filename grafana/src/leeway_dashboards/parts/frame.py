"""The frame of a dashboard: its variables, its links to the others, and panels in rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from leeway_dashboards.parts.panels import DATASOURCE, Panel

TAG = "leeway"


@dataclass(frozen=True)
class Row:
    """A headed row of panels; they fill the grid from left to right."""

    title: str
    panels: Sequence[Panel]


def board(
    uid: str,
    title: str,
    description: str,
    *,
    variables: Sequence[dashboard.QueryVariable],
    rows: Sequence[Row],
    since: str = "now-6h",
) -> models.Dashboard:
    """A dashboard.

    Args:
        uid: stable, since alerts link to it.
        title: without the product's name, which the folder carries.
        description: one sentence.
        variables: besides the data source, in the order in which one depends on the other.
        rows: from top to bottom.
        since: where its time range begins.
    """
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone("browser")
        .editable()
        .refresh("30s")
        .time(since, "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Leeway")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(include_vars=True)
            .keep_time(keep_time=True)
        )
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for variable in variables:
        built.with_variable(variable)
    number = 0
    for row in rows:
        # Panels have numbers of their own, so that a link to one stays valid when Grafana reads the file again.
        number += 1
        built.with_row(dashboard.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            built.with_panel(panel.id(number))
    return built.build()


def namespace(*, several: bool = False) -> dashboard.QueryVariable:
    """The variable of the models' namespace."""
    return _variable("namespace", "Namespace", "label_values(leeway_rollout_phase, namespace)", several=several)


def model(*, several: bool = False) -> dashboard.QueryVariable:
    """The variable of the model."""
    source = 'label_values(leeway_rollout_phase{namespace=~"$namespace"}, model)'
    return _variable("model", "Model", source, several=several)


def version() -> dashboard.QueryVariable:
    """The variable of the versions that a slot had within the time range."""
    source = 'label_values(leeway_rollout_weight{namespace=~"$namespace",model=~"$model"}, version)'
    return _variable("version", "Version", source, several=True)


def _variable(name: str, label: str, source: str, *, several: bool) -> dashboard.QueryVariable:
    variable = (
        dashboard.QueryVariable(name)
        .label(label)
        .query({"query": source, "refId": name})
        .datasource(DATASOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NATURAL_ASC)
        .multi(several)
        .include_all(several)
    )
    if several:
        everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
        variable.current(everything)
    return variable
