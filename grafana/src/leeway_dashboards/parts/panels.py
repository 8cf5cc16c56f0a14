"""Panels in one style; a topic's module says what they show."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, statetimeline, table
from grafana_foundation_sdk.builders import timeseries as series
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prom

Panel: TypeAlias = bargauge.Panel | series.Panel | stat.Panel | statetimeline.Panel | table.Panel
Steps: TypeAlias = Sequence[tuple[float | None, str]]
"""Thresholds: from this value on, that colour; the first value is None, which is everything below the second."""

DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24
"""Columns of Grafana's grid."""

PLAIN: Steps = ((None, "blue"),)
"""Of what is neither good nor bad."""


def query(expr: str, legend: str, *, ref: str = "A") -> prometheus.Dataquery:
    """A query over the time range of the dashboard; `legend` names each series by its labels."""
    return prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(ref).range().datasource(DATASOURCE)


def now(expr: str, legend: str = "", *, ref: str = "A") -> prometheus.Dataquery:
    """A query at the end of the time range."""
    return prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(ref).instant().datasource(DATASOURCE)


def rows(expr: str, *, ref: str) -> prometheus.Dataquery:
    """A query at the end of the time range, as rows of a table: a column per label, and `Value #<ref>`."""
    return now(expr, ref=ref).format(prom.PromQueryFormat.TABLE)


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Absolute thresholds."""
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=color) for value, color in steps])
    )


def over_time(
    title: str, description: str, unit: str, *, steps: Steps = PLAIN, least: float | None = 0
) -> series.Panel:
    """Lines over time, with a dashed line at each threshold; the axis begins at `least`, None: where the data do."""
    panel = (
        series.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(DATASOURCE)
        .height(8)
        .span(12)
        .line_width(1)
        .fill_opacity(8)
        .show_points(options.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(options.LegendDisplayMode.LIST)
            .placement(options.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI).sort(options.SortOrder.DESCENDING))
        .thresholds(thresholds(steps))
    )
    if len(steps) > 1:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(options.GraphThresholdsStyleMode.DASHED))
    return panel if least is None else panel.min(least)


def stacked(panel: series.Panel) -> series.Panel:
    """The same, with its lines on top of each other."""
    return panel.fill_opacity(40).stacking(common.StackingConfig().mode(options.StackingMode.NORMAL))


def number(title: str, description: str, unit: str, *, steps: Steps = PLAIN) -> stat.Panel:
    """The newest value, large."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(DATASOURCE)
        .height(4)
        .span(4)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(options.BigValueColorMode.VALUE)
        .graph_mode(options.BigValueGraphMode.NONE)
        .no_value("no data")
        .thresholds(thresholds(steps))
    )


def bars(title: str, description: str, unit: str, *, steps: Steps = PLAIN) -> bargauge.Panel:
    """A bar for each series' newest value."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(DATASOURCE)
        .height(9)
        .span(12)
        .min(0)
        .orientation(options.VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .thresholds(thresholds(steps))
    )


def states(title: str, description: str, words: Mapping[int, tuple[str, str]]) -> statetimeline.Panel:
    """A bar over time for each series, whose values stand for `words`: value → (word, colour)."""
    results = {str(value): models.ValueMappingResult(text=word, color=color) for value, (word, color) in words.items()}
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .unit("none")
        .datasource(DATASOURCE)
        .height(7)
        .span(12)
        .merge_values(merge_values=True)
        .show_value(options.VisibilityMode.AUTO)
        .mappings([models.ValueMap(options=results)])
        .thresholds(thresholds(((None, "text"),)))
    )


def grid(
    title: str, description: str, columns: Mapping[str, Mapping[str, Any]], *, drop: Sequence[str] = ()
) -> table.Panel:
    """A table of what its queries' rows have in common.

    Args:
        title: of the panel.
        description: of it.
        columns: in order, field name → its properties by Grafana's names (`displayName`, `unit`, `links`).
        drop: fields that are not shown, besides the time.
    """
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .unit("short")
        .datasource(DATASOURCE)
        .height(10)
        .span(WIDTH)
        .thresholds(thresholds(PLAIN))
        .with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            models.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": dict.fromkeys(["Time", *drop], True),
                    "indexByName": {name: place for place, name in enumerate(columns)},
                    "renameByName": {},
                },
            )
        )
    )
    for name, properties in columns.items():
        values = [models.DynamicConfigValue(id_val=key, value=value) for key, value in properties.items()]
        panel.override_by_name(name, values)
    return panel


def coloured(steps: Steps) -> Mapping[str, Any]:
    """Properties of a table's column whose cells take the colour of their threshold."""
    return {
        "custom.cellOptions": {"type": "color-text"},
        "thresholds": {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in steps]},
    }
