"""Figures and the self-contained HTML report, for every job."""

from relembra.report._figures import Figure as Figure
from relembra.report._figures import FigureChoice as FigureChoice
from relembra.report._figures import pick_series as pick_series
from relembra.report._figures_backtest import BacktestView as BacktestView
from relembra.report._figures_backtest import HeldOut as HeldOut
from relembra.report._figures_backtest import backtest_figure as backtest_figure
from relembra.report._figures_fan import SeriesView as SeriesView
from relembra.report._figures_fan import fan_figure as fan_figure
from relembra.report._figures_lines import horizon_figure as horizon_figure
from relembra.report._figures_lines import training_figure as training_figure
from relembra.report._figures_search import bar_figure as bar_figure
from relembra.report._figures_search import curves_figure as curves_figure
from relembra.report._figures_search import search_figure as search_figure
from relembra.report._figures_search import setting_figure as setting_figure
from relembra.report._page import Report as Report
from relembra.report._tables import Best as Best
from relembra.report._tables import Picture as Picture
from relembra.report._tables import Table as Table
from relembra.report._tables import format_number as format_number
from relembra.report._tables import score_table as score_table
from relembra.report._tables import verdict as verdict

__all__ = [
    "BacktestView",
    "Best",
    "Figure",
    "FigureChoice",
    "HeldOut",
    "Picture",
    "Report",
    "SeriesView",
    "Table",
    "backtest_figure",
    "bar_figure",
    "curves_figure",
    "fan_figure",
    "format_number",
    "horizon_figure",
    "pick_series",
    "score_table",
    "search_figure",
    "setting_figure",
    "training_figure",
    "verdict",
]
