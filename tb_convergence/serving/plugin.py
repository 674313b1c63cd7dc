"""The TensorBoard plugin: its name, its tab, its routes."""

from __future__ import annotations

import logging
from typing import Any, Final

from tensorboard import context as tensorboard_context
from tensorboard.plugins import base_plugin

from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.reading.presence import LossPresence
from tb_convergence.serving import assets
from tb_convergence.serving.flags import load_rules, logdir_of, most_kept, told_tags
from tb_convergence.serving.provider_source import ProviderSource
from tb_convergence.serving.routes import WsgiApp, applications
from tb_convergence.serving.service import Service

_logger: Final = logging.getLogger("tensorboard.plugins.convergence")

DATA_PLUGINS: Final = (PLUGIN_NAME, "histograms")
"""Whose summaries wake the tab up by themselves. Of scalars only a loss does: see `is_active`."""


class ConvergencePlugin(base_plugin.TBPlugin):  # type: ignore[misc]
    """Why the loss of a run does not converge."""

    plugin_name = PLUGIN_NAME

    def __init__(self, context: Any) -> None:
        """Args:
            context: a `base_plugin.TBContext`; its data provider may be None.
        """
        self._provider = context.data_provider
        self._losses = LossPresence(self._provider)
        self._flags = getattr(context, "flags", None)

    def get_plugin_apps(self) -> dict[str, WsgiApp]:
        """WSGI applications by path; see docs/http_api.md."""
        load_rules(self._flags)
        source = ProviderSource(
            self._provider, told_tags(self._flags), most_kept(self._flags),
            logdir_of(self._flags),
        )
        return applications(Service(source), assets.load())

    def is_active(self) -> bool:
        """Whether anything was recorded that the tab is about: cheap, and never raises.

        TensorBoard asks only when its own look at `data_plugin_names` found nothing, and then asks
        again with each reload. One loss among the scalars is enough.
        """
        if self._provider is None:
            return False
        try:
            found = self._provider.list_plugins(
                tensorboard_context.RequestContext(), experiment_id=""
            )
            if not set(DATA_PLUGINS).isdisjoint(found or ()):
                return True
            # Where nobody can list plugins, a loss may be there all the same.
            return (found is None or "scalars" in found) and self._losses.found()
        except Exception as error:
            _logger.info("convergence: inactive, plugins cannot be listed: %s", error)
            return False

    def frontend_metadata(self) -> Any:
        """The tab. Never raises: an exception here takes TensorBoard's whole page down."""
        return base_plugin.FrontendMetadata(
            es_module_path=f"/{assets.ENTRY}", tab_name="Convergence"
        )

    def data_plugin_names(self) -> tuple[str, ...]:
        """Plugins whose summaries are read."""
        return DATA_PLUGINS
