//! Numbers of this process, and of the machine around it, under the names that Prometheus' own clients use: `process_...`, without a
//! prefix of this service. They are asked for when metrics are read.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// This process at one moment. What the system does not say is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessMetrics {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<u64>,
    virtual_bytes: Option<u64>,
    started: Option<u64>,
    threads: Option<usize>,
    open_fds: Option<usize>,
    max_fds: Option<usize>,
}

impl ProcessMetrics {
    /// As it is now. It reads a few files of the system.
    pub fn now() -> ProcessMetrics {
        let (Ok(mut system), Ok(own)) = (System::new(), sysinfo::get_current_pid()) else {
            return ProcessMetrics::default();
        };
        let what = ProcessRefreshKind::nothing()
            .with_cpu()
            .with_memory()
            .with_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, what);
        let Some(process) = system.process(own) else {
            return ProcessMetrics::default();
        };
        ProcessMetrics {
            cpu_seconds: Some(process.accumulated_cpu_time() as f64 / 1e3),
            resident_bytes: Some(process.memory()),
            virtual_bytes: Some(process.virtual_memory()),
            started: Some(process.start_time()),
            // Those beside the first.
            threads: process.tasks().map(|tasks| tasks.len() + 1),
            open_fds: process.open_files(),
            max_fds: process.open_files_limit(),
        }
    }

    /// These, to be shown.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("process");
        let r = &mut registry;
        if let Some(seconds) = self.cpu_seconds {
            let counter = Counter::<f64, AtomicU64>::default();
            counter.inc_by(seconds);
            let help = "Time that processors spent on this process";
            r.register_with_unit("cpu", help, Unit::Seconds, counter);
        }
        if let Some(bytes) = self.resident_bytes {
            let help = "Memory of this process that is in the machine's";
            r.register_with_unit("resident_memory", help, Unit::Bytes, set(bytes));
        }
        if let Some(bytes) = self.virtual_bytes {
            let help = "Addresses that this process uses";
            r.register_with_unit("virtual_memory", help, Unit::Bytes, set(bytes));
        }
        if let Some(seconds) = self.started {
            let help = "When this process started, since 1970";
            r.register_with_unit("start_time", help, Unit::Seconds, set(seconds));
        }
        for (name, help, number) in [
            ("threads", "Threads of this process", self.threads),
            (
                "open_fds",
                "Files and connections that are open",
                self.open_fds,
            ),
            (
                "max_fds",
                "Files and connections that may be open at once",
                self.max_fds,
            ),
        ] {
            if let Some(number) = number {
                r.register(name, help, set(number as u64));
            }
        }
        registry
    }
}

fn set(number: u64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
    gauge
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn this_process_has_the_names_that_others_have() {
        let now = ProcessMetrics::now();
        let mut text = String::new();
        encode(&mut text, &now.registry()).unwrap();
        let number = |name: &str| -> f64 {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} in {text}"))
                .parse()
                .unwrap()
        };
        assert!(0.0 <= number("process_cpu_seconds_total"));
        assert!(1e6 < number("process_resident_memory_bytes"));
        assert!(number("process_resident_memory_bytes") < number("process_virtual_memory_bytes"));
        let since = clock::now().millis() as f64 / 1e3 - number("process_start_time_seconds");
        assert!((-2.0..86_400.0).contains(&since), "{since}");
        // The harness runs each test on a thread of its own.
        assert!(2.0 <= number("process_threads"));
        assert!(3.0 <= number("process_open_fds"));
        assert!(number("process_open_fds") < number("process_max_fds"));
    }
}
