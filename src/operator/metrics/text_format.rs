//! The format of metrics as text: OpenMetrics 1.0.0, or the older format of Prometheus, 0.0.4, for clients that know only that.
//!
//! They differ in little. A counter's type stands under the name of its sample, an info is a gauge, and there are neither units
//! nor an end. Both are described at <https://prometheus.io/docs/instrumenting/exposition_formats/>.

/// A format of metrics as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Prometheus,
}

impl TextFormat {
    /// The media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            TextFormat::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            TextFormat::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// The format that a client prefers, by its `Accept` header (RFC 9110, 12.5.1): OpenMetrics if it names that and does not like
    /// text better, else text.
    pub fn accepted(accept: &str) -> TextFormat {
        let (mut open_metrics, mut text) = (0.0, 0.0);
        for part in accept.split(',') {
            let mut parameters = part.split(';').map(str::trim);
            let kind = parameters.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parameters.find_map(|it| it.strip_prefix("q=")?.parse::<f64>().ok());
            let quality = quality.unwrap_or(1.0);
            match &*kind {
                "application/openmetrics-text" => open_metrics = quality.max(open_metrics),
                "text/plain" => text = quality.max(text),
                _ => {}
            }
        }
        match 0.0 < open_metrics && text <= open_metrics {
            true => TextFormat::OpenMetrics,
            false => TextFormat::Prometheus,
        }
    }

    /// OpenMetrics text in this format.
    pub(super) fn of(self, open_metrics: String) -> String {
        match self {
            TextFormat::OpenMetrics => open_metrics,
            TextFormat::Prometheus => prometheus(&open_metrics),
        }
    }
}

fn prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    // The help of a metric stands before its type, which says under what name it is to stand.
    let mut help = None;
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(_), words) => help = words,
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    kind => ("", kind),
                };
                if let Some(help) = help.take() {
                    text.push_str(&format!("# HELP {name}{suffix} {help}\n"));
                }
                text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
            }
            (Some("#"), ..) => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_open_metrics_gets_it_and_others_get_text() {
        use TextFormat::{OpenMetrics, Prometheus};
        let check = |accept: &str, format| {
            assert_eq!(TextFormat::accepted(accept), format, "{accept}");
        };
        // curl, a browser, Prometheus 2.42 and 3.
        check("*/*", Prometheus);
        check("text/html,application/xhtml+xml,*/*;q=0.8", Prometheus);
        check(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            OpenMetrics,
        );
        check(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            OpenMetrics,
        );
        check("", Prometheus);
        check(
            "text/plain, application/openmetrics-text; q=0.5",
            Prometheus,
        );
        check(
            "text/plain; q=0.5, application/openmetrics-text",
            OpenMetrics,
        );
        check("application/openmetrics-text; q=0", Prometheus);
        check("Application/OpenMetrics-Text; q=x", OpenMetrics);
    }

    #[test]
    fn open_metrics_becomes_text() {
        let open_metrics = "\
            # HELP a_seconds Times.\n# TYPE a_seconds histogram\n# UNIT a_seconds seconds\na_seconds_sum 1.0\n\
            # HELP b Things counted.\n# TYPE b counter\nb_total{x=\"# y\"} 3\n\
            # HELP c What is.\n# TYPE c info\nc_info{version=\"1\"} 1\n\
            # TYPE d unknown\nd 1\n# EOF\n";
        let text = "\
            # HELP a_seconds Times.\n# TYPE a_seconds histogram\na_seconds_sum 1.0\n\
            # HELP b_total Things counted.\n# TYPE b_total counter\nb_total{x=\"# y\"} 3\n\
            # HELP c_info What is.\n# TYPE c_info gauge\nc_info{version=\"1\"} 1\n\
            # TYPE d untyped\nd 1\n";
        assert_eq!(TextFormat::Prometheus.of(open_metrics.to_owned()), text);
        assert_eq!(
            TextFormat::OpenMetrics.of(open_metrics.to_owned()),
            open_metrics
        );
    }
}
