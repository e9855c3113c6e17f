//! What an attack found, and the bounds that must hold: judged here, and nowhere else.

use super::Scale;
use super::bystander::Felt;
use super::victim::Memory;
use std::fmt::Write;
use std::time::Duration;

/// What must hold while an attack is under way. Generous: they tell a bound from none, not a good day from a bad one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How much more memory may be taken than before, at its peak, in MiB.
    pub(crate) memory_growth_mib_max: u64,
    /// The longest that anything a bystander does may take.
    pub(crate) bystander_wait_max: Duration,
}

impl Bounds {
    /// For what needs next to nothing, and holds nobody. Small is for builds that are slow, on machines that are busy.
    pub(crate) fn calm(scale: Scale) -> Bounds {
        Bounds {
            memory_growth_mib_max: 64,
            bystander_wait_max: Duration::from_secs(scale.of(6, 3)),
        }
    }
}

/// What an attack found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    notes: Vec<String>,
    broken: Vec<String>,
}

impl Findings {
    /// A figure.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Something that must not be.
    pub(crate) fn broken(&mut self, what: String) {
        self.broken.push(what);
    }

    /// Something that must be so; if not, `otherwise` is what is so.
    pub(crate) fn must(&mut self, is_so: bool, otherwise: impl FnOnce() -> String) {
        if !is_so {
            self.broken.push(otherwise());
        }
    }
}

/// What became of an attack.
pub(crate) struct Row {
    name: &'static str,
    findings: Findings,
    felt: Felt,
    memory: Memory,
    took: Duration,
    lived: bool,
    /// None if it could not be asked.
    lost: Option<usize>,
}

impl Row {
    /// Holds all that is known of it against its bounds.
    #[allow(clippy::too_many_arguments)] // what is known of an attack, once each
    pub(crate) fn new(
        name: &'static str,
        bounds: Bounds,
        mut findings: Findings,
        felt: Felt,
        memory: Memory,
        took: Duration,
        lived: bool,
        lost: Option<usize>,
    ) -> Row {
        findings.must(lived, || "it ended".to_owned());
        let growth = memory.growth_mib();
        findings.must(growth <= bounds.memory_growth_mib_max, || {
            let most = bounds.memory_growth_mib_max;
            format!("it took {growth} MiB more: at most {most}")
        });
        for (what, waits) in felt.kinds() {
            let worst = waits.worst();
            findings.must(worst <= bounds.bystander_wait_max, || {
                let most = bounds.bystander_wait_max;
                format!(
                    "{what} took {} ms: at most {} ms",
                    worst.as_millis(),
                    most.as_millis()
                )
            });
            findings.must(waits.failed == 0, || {
                format!(
                    "{} of {} {what} were refused or failed",
                    waits.failed,
                    waits.count()
                )
            });
        }
        findings.must(!felt.acknowledged.is_empty(), || {
            "no post of a bystander was taken".to_owned()
        });
        if let Some(lost) = lost.filter(|lost| 0 < *lost) {
            let of = felt.acknowledged.len();
            findings.broken(format!("{lost} of {of} acknowledged posts are lost"));
        }
        Row {
            name,
            findings,
            felt,
            memory,
            took,
            lived,
            lost,
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        !self.findings.broken.is_empty()
    }

    /// How it ended, in a line.
    pub(crate) fn line(&self) -> String {
        let fate = if self.is_broken() {
            "NOT WITHSTOOD"
        } else {
            "withstood"
        };
        format!("{}: {fate}, {:.1} s", self.name, self.took.as_secs_f64())
    }

    /// What is broken, then the figures.
    pub(crate) fn said(&self) -> impl Iterator<Item = String> {
        let broken = self.findings.broken.iter().map(|it| format!("BROKEN {it}"));
        broken.chain(self.findings.notes.iter().cloned())
    }
}

/// All of them, for people and for Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| attack | s | MiB before, peak, after | healthz ms median, worst | page ms | post ms (taken of tried) \
         | relation ms | lived | lost | broken |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let (felt, memory) = (&row.felt, &row.memory);
        let after = memory.after_mib.map_or("-".to_owned(), |it| it.to_string());
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "| {} | {:.1} | {}, {}, {after} | {} | {} | {} ({} of {}) | {} | {} | {} of {} | {} |",
            row.name,
            row.took.as_secs_f64(),
            memory.before_mib,
            memory.peak_mib,
            felt.health,
            felt.page,
            felt.post,
            felt.acknowledged.len(),
            felt.post.count(),
            felt.relation,
            if row.lived { "yes" } else { "NO" },
            row.lost.map_or("?".to_owned(), |lost| lost.to_string()),
            felt.acknowledged.len(),
            row.findings.broken.len(),
        );
    }
    text
}
