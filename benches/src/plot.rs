//! Draws figures: bars and curves in panels below each other, as one SVG file.
//!
//! Text stays text, and colors follow the reader's light or dark scheme: the file brings its own
//! background, so it can be read wherever it is embedded. Everything is labelled where it is;
//! there is no legend to look up.

use svg::Document;
use svg::node::element::{Circle, Group, Line, Polyline, Rectangle, Style, Text};

/// A title, and panels below each other.
pub struct Figure {
    /// What is shown.
    pub title: String,
    /// What has to be known to read it, a line each.
    pub notes: Vec<String>,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

/// One set of axes.
pub enum Panel {
    /// Horizontal bars in groups; the axis begins at 0.
    Bars {
        /// What the bars measure, with its unit.
        axis: String,
        /// From top to bottom.
        groups: Vec<BarGroup>,
    },
    /// Points, joined or not; the vertical axis begins at 0.
    Curves {
        /// What the horizontal axis measures.
        x: Axis,
        /// What the vertical axis measures.
        y: Axis,
        /// Each with a label at its last point.
        series: Vec<Series>,
    },
}

/// Bars that belong together.
pub struct BarGroup {
    /// What they have in common.
    pub label: String,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

/// One bar.
pub struct Bar {
    /// What it stands for.
    pub label: String,
    /// How long it is.
    pub value: f64,
    /// The figure behind it.
    pub text: String,
    /// Its color.
    pub color: Color,
}

/// An axis of a panel of curves.
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// Whether equal distances are equal ratios.
    pub logarithmic: bool,
    /// Whether it begins at 0; a logarithmic one never does.
    pub from_zero: bool,
}

/// Points in the order they are joined.
pub struct Series {
    /// What they stand for, written behind the last one.
    pub label: String,
    /// Horizontal and vertical value.
    pub points: Vec<(f64, f64)>,
    /// Their color.
    pub color: Color,
}

/// A color of the figure; the reader's scheme decides which one it is.
#[derive(Clone, Copy)]
pub enum Color {
    /// What the figure is about.
    Subject,
    /// One of its peers.
    Peer(u8),
    /// A yardstick that cannot be asked.
    Yardstick,
}

impl Color {
    fn class(self) -> &'static str {
        match self {
            Color::Subject => "subject",
            Color::Peer(number) => ["peer0", "peer1", "peer2", "peer3"][usize::from(number % 4)],
            Color::Yardstick => "yardstick",
        }
    }
}

/// Light first; what a dark scheme changes is behind it. Hues differ in brightness too. No CSS
/// variables: not every program that shows SVG knows them.
const STYLE: &str = "
text { font: 13px system-ui, 'DejaVu Sans', sans-serif; fill: currentColor; color: #1f2328;
  stroke: #ffffff; stroke-width: 3px; paint-order: stroke; }
.title { font-size: 17px; font-weight: 600; }
.group, .strong { font-weight: 600; }
.note, .tick { font-size: 12px; color: #59636e; }
rect, circle { fill: currentColor; }
line { stroke: currentColor; color: #d1d9e0; }
polyline { fill: none; stroke: currentColor; stroke-width: 2.5; }
.paper { color: #ffffff; }
.subject { color: #0969da; }
.yardstick { color: #7d8590; }
.peer0 { color: #bc4c00; }
.peer1 { color: #1a7f37; }
.peer2 { color: #8250df; }
.peer3 { color: #bf3989; }
@media (prefers-color-scheme: dark) {
  text { color: #f0f6fc; stroke: #0d1117; }
  .note, .tick { color: #9198a1; }
  line { color: #3d444d; }
  .paper { color: #0d1117; }
  .subject { color: #58a6ff; }
  .yardstick { color: #8b949e; }
  .peer0 { color: #f0883e; }
  .peer1 { color: #3fb950; }
  .peer2 { color: #bc8cff; }
  .peer3 { color: #f778ba; }
}
";

const WIDTH: f64 = 820.0;
const MARGIN: f64 = 24.0;
/// Where bars begin: their labels stand to the left.
const BARS_LEFT: f64 = 190.0;
/// Where bars and curves end at most: figures and labels stand to the right.
const RIGHT: f64 = 640.0;
const CURVES_LEFT: f64 = 76.0;
const CURVES_HEIGHT: f64 = 250.0;
const ROW: f64 = 21.0;
const LINE: f64 = 18.0;

impl Figure {
    /// The figure as a document.
    pub fn draw(&self) -> Document {
        let mut body = Group::new().add(text(MARGIN, 36.0, "title", "start", &self.title));
        let mut top = 36.0;
        for note in &self.notes {
            top += LINE;
            body = body.add(text(MARGIN, top, "note", "start", note));
        }
        for panel in &self.panels {
            let (group, height) = match panel {
                Panel::Bars { axis, groups } => bars(axis, groups),
                Panel::Curves { x, y, series } => curves(x, y, series),
            };
            top += MARGIN;
            body = body.add(group.set("transform", format!("translate(0 {top:.0})")));
            top += height;
        }
        let height = top + MARGIN;
        let paper = Rectangle::new().set("class", "paper").set("rx", 6);
        Document::new()
            .set("viewBox", (0, 0, WIDTH, height.round()))
            .set("role", "img")
            .set("aria-label", self.title.as_str())
            .add(Style::new(STYLE))
            .add(paper.set("width", WIDTH).set("height", height.round()))
            .add(body)
    }
}

fn bars(axis: &str, groups: &[BarGroup]) -> (Group, f64) {
    let values = groups.iter().flat_map(|group| &group.bars).map(|bar| bar.value);
    let ticks = ticks(values.fold(0.0, f64::max));
    let scale = (RIGHT - BARS_LEFT) / ticks.last().copied().unwrap_or(1.0);
    let rows: usize = groups.iter().map(|group| group.bars.len()).sum();
    let bottom = rows as f64 * ROW + groups.len() as f64 * (ROW + 8.0);
    let mut panel = Group::new();
    for &tick in &ticks {
        let x = BARS_LEFT + tick * scale;
        panel = panel.add(line((x, 0.0), (x, bottom + 4.0)));
        panel = panel.add(text(x, bottom + LINE, "tick", "middle", &plain(tick)));
    }
    panel = panel.add(text(BARS_LEFT, bottom + 2.0 * LINE, "note", "start", axis));
    let mut top = 0.0;
    for group in groups {
        top += ROW + 8.0;
        panel = panel.add(text(MARGIN, top - 7.0, "group", "start", &group.label));
        for bar in &group.bars {
            let width = (bar.value * scale).max(1.0);
            let weight = if matches!(bar.color, Color::Subject) { "strong" } else { "" };
            let baseline = top + 14.0;
            let mark = Rectangle::new()
                .set("class", bar.color.class())
                .set("x", BARS_LEFT)
                .set("y", top + 2.0)
                .set("width", round(width))
                .set("height", ROW - 5.0)
                .set("rx", 2);
            panel = panel
                .add(text(BARS_LEFT - 8.0, baseline, weight, "end", &bar.label))
                .add(mark)
                .add(text(BARS_LEFT + width + 6.0, baseline, weight, "start", &bar.text));
            top += ROW;
        }
    }
    (panel, bottom + 2.0 * LINE)
}

fn curves(x: &Axis, y: &Axis, series: &[Series]) -> (Group, f64) {
    let points = || series.iter().flat_map(|series| &series.points);
    let x_scale = Scale::new(x, points().map(|point| point.0), (CURVES_LEFT, RIGHT));
    let top = LINE + 10.0;
    let bottom = top + CURVES_HEIGHT;
    let y_scale = Scale::new(y, points().map(|point| point.1), (bottom, top));
    let mut panel = Group::new().add(text(MARGIN, LINE - 6.0, "note", "start", &y.label));
    for &tick in &y_scale.ticks {
        let at = y_scale.place(tick);
        panel = panel.add(line((CURVES_LEFT, at), (RIGHT, at)));
        panel = panel.add(text(CURVES_LEFT - 8.0, at + 4.0, "tick", "end", &plain(tick)));
    }
    for &tick in &x_scale.ticks {
        let at = x_scale.place(tick);
        panel = panel.add(line((at, bottom), (at, bottom + 5.0)));
        panel = panel.add(text(at, bottom + LINE, "tick", "middle", &plain(tick)));
    }
    panel = panel.add(text(CURVES_LEFT, bottom + 2.0 * LINE, "note", "start", &x.label));
    let place = |&(x, y): &(f64, f64)| (round(x_scale.place(x)), round(y_scale.place(y)));
    let mut labels = Vec::new();
    for series in series {
        let class = series.color.class();
        let places: Vec<(f64, f64)> = series.points.iter().map(place).collect();
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let path = Polyline::new().set("class", class).set("points", path.join(" "));
        panel = panel.add(path);
        for &(x, y) in &places {
            let point = Circle::new().set("cx", x).set("cy", y).set("r", 4);
            panel = panel.add(point.set("class", class));
        }
        labels.extend(places.last().map(|&(x, y)| (y, x, class, &series.label)));
    }
    // Labels that would overlap make room for each other, from top to bottom.
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for (at, x, class, label) in labels {
        let width = 9.0 * label.chars().count() as f64;
        let crowd = taken.iter().filter(|other| (other.1 - x).abs() < width);
        let y = crowd.map(|other| other.0 + 15.0).fold(at, f64::max);
        taken.push((y, x));
        panel = panel.add(text(x + 9.0, y + 4.0, class, "start", label));
    }
    (panel, bottom + 2.0 * LINE)
}

/// Where values of an axis lie on paper.
struct Scale {
    ticks: Vec<f64>,
    logarithmic: bool,
    values: (f64, f64),
    places: (f64, f64),
}

impl Scale {
    fn new(axis: &Axis, values: impl Iterator<Item = f64> + Clone, places: (f64, f64)) -> Scale {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        if axis.logarithmic {
            let tick = |power: i32| [1.0, 3.0].map(|digit| digit * 10f64.powi(power));
            let all = (low.log10().floor() as i32..=high.log10().ceil() as i32).flat_map(tick);
            let ticks = all.filter(|&tick| tick >= low * 0.99 && tick <= high * 1.01).collect();
            return Scale { ticks, logarithmic: true, values: (low, high), places };
        }
        let ticks = if axis.from_zero { ticks(high) } else { ticks_between(low, high) };
        let values = (ticks[0], ticks[ticks.len() - 1]);
        Scale { ticks, logarithmic: false, values, places }
    }

    fn place(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        let share = match (self.logarithmic, low < high) {
            (_, false) => 0.5,
            (true, true) => (value / low).ln() / (high / low).ln(),
            (false, true) => (value - low) / (high - low),
        };
        self.places.0 + share * (self.places.1 - self.places.0)
    }
}

/// Round numbers from 0 to the first that is not below `high`.
fn ticks(high: f64) -> Vec<f64> {
    ticks_between(0.0, high)
}

fn ticks_between(low: f64, high: f64) -> Vec<f64> {
    let span = if high > low { high - low } else { 1.0 };
    let power = 10f64.powf((span / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    let step = steps.into_iter().find(|step| span / step <= 6.0).unwrap_or(steps[3]);
    let first = (low / step).floor() as i64;
    let last = (high / step).ceil() as i64;
    (first..=last).map(|number| number as f64 * step).collect()
}

/// `100k`, `1M`, `0.5`: a number short enough for an axis.
fn plain(value: f64) -> String {
    match value {
        1e6.. => format!("{}M", round(value / 1e6)),
        1e4.. => format!("{}k", round(value / 1e3)),
        _ => format!("{}", round(value)),
    }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn text(x: f64, y: f64, class: &str, anchor: &str, content: &str) -> Text {
    let text = Text::new(content).set("x", round(x)).set("y", round(y)).set("text-anchor", anchor);
    if class.is_empty() { text } else { text.set("class", class) }
}

fn line(from: (f64, f64), to: (f64, f64)) -> Line {
    let line = Line::new().set("x1", round(from.0)).set("y1", round(from.1));
    line.set("x2", round(to.0)).set("y2", round(to.1))
}
