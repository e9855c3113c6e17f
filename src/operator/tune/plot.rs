//! A report as a picture (SVG): order against wait. Each configuration is a line, from the reader without patience to the
//! one who waits for all; lower is better order, further left is less wait.

use super::report::{Configuration, Report};
use super::table::{percent, percent_in_words, span};
use std::fmt::Write;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 600.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 84.0;
/// Room below the axis for its labels and the legend's lines.
const BOTTOM: f64 = 84.0;
const LEGEND_LINE: f64 = 24.0;
/// About what the longest label takes.
const LABEL_WIDTH: f64 = 110.0;
/// Told apart without colour by their marks, and with it also by those who see fewer.
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#8a6d00",
];
const WAITS_MS: [i64; 12] = [
    0,
    1_000,
    3_000,
    10_000,
    30_000,
    60_000,
    180_000,
    600_000,
    1_800_000,
    7_200_000,
    43_200_000,
    604_800_000,
];

/// The picture, a whole SVG document.
pub fn svg(report: &Report) -> String {
    let scale = Scale::of(report);
    let height = HEIGHT + LEGEND_LINE * report.configurations.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"14\" fill=\"#222\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <title>Order against wait</title>\n"
    );
    let mut put = |element: String| {
        // To memory: it does not fail.
        let _ = writeln!(svg, "{element}");
    };
    put(words(
        LEFT,
        30.0,
        "start",
        "font-size=\"20\" font-weight=\"600\"",
        "What order costs",
    ));
    let posts = format!(
        "{} posts of {} origins; a reader who follows them all, by patience. Lower: fewer posts out of order.",
        report.trace.posts, report.trace.origins
    );
    put(words(LEFT, 54.0, "start", "fill=\"#555\"", &posts));
    axes(&scale, &mut put);
    let mut labels = Vec::new();
    for (nth, configuration) in report.configurations.iter().enumerate() {
        of_configuration(&scale, nth, configuration, &mut labels, &mut put);
    }
    put("</svg>".to_owned());
    svg
}

fn axes(scale: &Scale, put: &mut impl FnMut(String)) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for wait_ms in WAITS_MS
        .into_iter()
        .filter(|wait_ms| *wait_ms <= scale.wait_ms_max)
    {
        let x = scale.x(wait_ms);
        put(format!(
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#e4e4e4\"/>"
        ));
        let label = if wait_ms == 0 {
            "none".to_owned()
        } else {
            short(wait_ms)
        };
        put(words(x, bottom + 22.0, "middle", "", &label));
    }
    for step in 0..=4 {
        let share = scale.behind_max * f64::from(step) / 4.0;
        let y = scale.y(share);
        put(format!(
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#e4e4e4\"/>"
        ));
        put(words(
            LEFT - 10.0,
            y + 5.0,
            "end",
            "",
            &percent_in_words(share),
        ));
    }
    put(format!(
        "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#444\" stroke-width=\"1.5\"/>"
    ));
    let middle = f64::midpoint(LEFT, right);
    put(words(
        middle,
        bottom + 50.0,
        "middle",
        "",
        "added wait of the median post (logarithmic)",
    ));
    let middle = f64::midpoint(TOP, bottom);
    put(format!(
        "<text transform=\"translate(24 {middle}) rotate(-90)\" text-anchor=\"middle\">posts that came behind</text>"
    ));
}

fn of_configuration(
    scale: &Scale,
    nth: usize,
    configuration: &Configuration,
    labels: &mut Vec<Label>,
    put: &mut impl FnMut(String),
) {
    let colour = COLOURS.get(nth % COLOURS.len()).copied().unwrap_or("#222");
    let mut line = String::new();
    let mut points: Vec<Label> = Vec::new();
    for reader in &configuration.readers {
        let (x, y) = (scale.x(reader.added_wait_ms.p50), scale.y(reader.behind));
        match points.last_mut() {
            // More patience that brings nothing is the same point.
            Some(last) if last.is_at(x, y) => {
                let first = last.text.split(" to ").next().unwrap_or_default();
                last.text = format!("{first} to {}", reader.patience);
            }
            _ => {
                let step = if points.is_empty() { "M" } else { "L" };
                // To memory: it does not fail.
                let _ = write!(line, "{step}{x:.1} {y:.1}");
                points.push(Label {
                    x,
                    y,
                    height: y,
                    text: reader.patience.clone(),
                });
            }
        }
    }
    put(format!(
        "<path d=\"{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-opacity=\".8\"/>"
    ));
    for mut point in points {
        put(mark(nth, point.x, point.y, colour));
        if labels
            .iter()
            .any(|there| there.is_at(point.x, point.y) && there.text == point.text)
        {
            continue;
        }
        point.height = free_height(&point, labels);
        let (x, y) = (point.x, point.height + 4.0);
        let (x, anchor) = if x < WIDTH * 0.75 {
            (x + 12.0, "start")
        } else {
            (x - 12.0, "end")
        };
        // A halo of its own, behind: not every viewer knows `paint-order`.
        let halo = "font-size=\"12\" stroke=\"#fff\" stroke-width=\"4\" stroke-linejoin=\"round\"";
        put(words(x, y, anchor, halo, &point.text));
        put(words(
            x,
            y,
            anchor,
            &format!("font-size=\"12\" style=\"fill:{colour}\""),
            &point.text,
        ));
        labels.push(point);
    }
    let y = HEIGHT + LEGEND_LINE * nth as f64;
    put(mark(nth, LEFT + 6.0, y, colour));
    let shares = configuration.shares;
    let (in_time, late) = (percent(shares.in_time), percent(shares.late));
    let legend = format!("{}: {in_time} in time, {late} late", configuration.name);
    put(words(LEFT + 22.0, y + 5.0, "start", "", &legend));
}

/// A point's patience, written beside it.
struct Label {
    x: f64,
    y: f64,
    /// Where it is written.
    height: f64,
    text: String,
}

impl Label {
    fn is_at(&self, x: f64, y: f64) -> bool {
        (x - self.x).abs() < 1.0 && (y - self.y).abs() < 1.0
    }
}

/// The first height above or below a point at which nothing is written yet.
fn free_height(point: &Label, labels: &[Label]) -> f64 {
    const APART: f64 = 17.0;
    let is_free = |height: &f64| {
        let is_on_paper = (TOP..HEIGHT - BOTTOM - 4.0).contains(height);
        let is_clear = |there: &Label| {
            LABEL_WIDTH < (there.x - point.x).abs() || APART <= (there.height - height).abs()
        };
        is_on_paper && labels.iter().all(is_clear)
    };
    let steps = (0..20).flat_map(|step| {
        [
            -12.0 - APART * f64::from(step),
            14.0 + APART * f64::from(step),
        ]
    });
    steps
        .map(|step| point.y + step)
        .find(is_free)
        .unwrap_or(point.y)
}

/// A dot, a square, a diamond or a triangle; smaller than those before, so that of equal points all show.
fn mark(nth: usize, x: f64, y: f64, colour: &str) -> String {
    let r = (9.0 - 1.5 * nth as f64).max(4.0);
    let shape = match nth % 4 {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\""),
        1 => {
            let side = 2.0 * r;
            format!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{side}\" height=\"{side}\"",
                x - r,
                y - r
            )
        }
        2 => format!(
            "<path d=\"M{x:.1} {:.1}l{r} {r}l-{r} {r}l-{r} -{r}z\"",
            y - r
        ),
        _ => format!(
            "<path d=\"M{x:.1} {:.1}l{r} {}h-{}z\"",
            y - r,
            1.8 * r,
            2.0 * r
        ),
    };
    format!("{shape} fill=\"{colour}\" stroke=\"#fff\" stroke-width=\"1.5\"/>")
}

fn words(x: f64, y: f64, anchor: &str, style: &str, text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{text}</text>")
}

/// A tick's label: `3m` rather than `3m00s`.
fn short(ms: i64) -> String {
    span(ms)
        .replace("m00s", "m")
        .replace("h00m", "h")
        .replace("d00h", "d")
}

/// From numbers to the paper.
struct Scale {
    wait_ms_max: i64,
    behind_max: f64,
}

impl Scale {
    fn of(report: &Report) -> Scale {
        let readers = || report.configurations.iter().flat_map(|it| &it.readers);
        let wait_ms = readers()
            .map(|reader| reader.added_wait_ms.p50)
            .max()
            .unwrap_or(0);
        let behind = readers().map(|reader| reader.behind).fold(0.0, f64::max);
        let next = WAITS_MS
            .into_iter()
            .find(|tick| wait_ms.max(1_000) <= *tick);
        // A quarter of it is a round number of percent.
        let round =
            (-4..=-1).flat_map(|power| [0.4, 0.8, 2.0, 4.0].map(|n| n * 10_f64.powi(power)));
        let behind_max = round
            .into_iter()
            .find(|round| behind <= *round)
            .unwrap_or(1.0);
        Scale {
            wait_ms_max: next.unwrap_or(604_800_000),
            behind_max,
        }
    }

    /// None at the left, then logarithmic from about a second on.
    fn x(&self, wait_ms: i64) -> f64 {
        let log = |ms: i64| (1.0 + ms as f64 / 500.0).ln();
        LEFT + (WIDTH - LEFT - RIGHT) * log(wait_ms) / log(self.wait_ms_max)
    }

    fn y(&self, share: f64) -> f64 {
        (HEIGHT - BOTTOM) - (HEIGHT - BOTTOM - TOP) * share / self.behind_max
    }
}
