//! The page Prometheus reads.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use metrics_exporter_prometheus::PrometheusHandle;
use rport_runtime::Tasks;

use crate::metrics_names::TASKS;

/// What the page is made from.
#[derive(Clone)]
pub(crate) struct MetricsPage {
    pub(crate) handle: PrometheusHandle,
    pub(crate) tasks: Tasks,
}

/// Renders all metrics in Prometheus' text format.
pub(crate) async fn page(State(page): State<MetricsPage>) -> Response {
    for (name, count) in page.tasks.counts() {
        metrics::gauge!(TASKS, "name" => name).set(count as f64);
    }
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        page.handle.render(),
    )
        .into_response()
}
