//! Charts as SVG: lines with bands, bars, sparklines. A bucket without a value is a gap, never a zero; a bucket that is cut by
//! the window is hollow or dashed. Colours come from classes, so that one stylesheet serves light, dark and print. Everything
//! that is written is escaped here.

use super::format;
use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Line,
    Bars,
}

/// One bucket.
#[derive(Clone, Debug, Default)]
pub struct Mark {
    /// Under the axis.
    pub label: String,
    /// Shown when pointed at.
    pub title: String,
    pub value: Option<f64>,
    pub p75: Option<f64>,
    pub p90: Option<f64>,
    pub is_partial: bool,
    /// The value of the bucket at the same place of the window before.
    pub before: Option<f64>,
}

#[derive(Clone, Debug)]
pub struct Chart {
    /// Unique on the page.
    pub id: String,
    pub title: String,
    pub description: String,
    pub unit: &'static str,
    pub style: Style,
    pub marks: Vec<Mark>,
}

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;
/// About as many labels as fit under the axis.
const LABELS: usize = 7;

/// An SVG that is being written. Values of attributes and texts are escaped.
struct Svg(String);

impl Svg {
    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.escaped(value);
            self.0.push('"');
        }
        self.0.push('>');
    }

    fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.open(name, attributes);
        self.escaped(text);
        self.close(name);
    }

    /// An element that shows a text when pointed at.
    fn titled(&mut self, name: &str, attributes: &[(&str, &str)], title: &str) {
        self.open(name, attributes);
        if !title.is_empty() {
            self.text("title", &[], title);
        }
        self.close(name);
    }

    fn path(&mut self, class: &str, d: &str) {
        if !d.is_empty() {
            self.titled("path", &[("class", class), ("d", d)], "");
        }
    }
}

/// A coordinate: one decimal place is finer than any screen.
fn at(number: f64) -> String {
    format!("{number:.1}")
}

/// Places of marks that follow each other without a gap.
fn runs(present: impl Iterator<Item = bool>) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (place, is_there) in present.enumerate() {
        match runs.last_mut() {
            Some((_, end)) if is_there && *end == place => *end += 1,
            _ if is_there => runs.push((place, place + 1)),
            _ => {}
        }
    }
    runs
}

/// Where values stand: the top of the axis and the values that get a line.
struct Axis {
    top: f64,
    ticks: Vec<(f64, String)>,
}

fn axis(unit: &str, max: f64) -> Axis {
    const TIMES: &[f64] = &[
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0,
    ];
    // Rates are read in one unit: that of the largest.
    let (factor, per) = if unit == "1/d" { format::rate_unit(max) } else { (1.0, "") };
    let wanted = (if max > 0.0 { max } else { 1.0 }) * factor / 4.0;
    let step = match unit {
        "s" if wanted <= 86_400.0 => TIMES.iter().copied().find(|step| *step >= wanted).unwrap_or(86_400.0),
        "s" => round_step(wanted / 86_400.0).ceil() * 86_400.0,
        _ => round_step(wanted),
    };
    let count = (max * factor / step).ceil().max(1.0);
    let label = |value: f64| match unit {
        "1/d" => format!("{}/{per}", short(value)),
        unit => format::value(unit, value),
    };
    let ticks = (0..=count as usize).map(|i| i as f64 * step).map(|value| (value / factor, label(value))).collect();
    Axis { top: count * step / factor, ticks }
}

/// The next of 1, 2, 5 times a power of ten.
fn round_step(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= wanted * 0.999).unwrap_or(wanted)
}

fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Chart {
    pub fn has_values(&self) -> bool {
        self.marks.iter().any(|mark| mark.value.is_some())
    }

    pub fn has_band(&self) -> bool {
        self.marks.iter().any(|mark| mark.p90.is_some())
    }

    pub fn has_before(&self) -> bool {
        self.marks.iter().any(|mark| mark.before.is_some())
    }

    pub fn has_partial(&self) -> bool {
        self.marks.iter().any(|mark| mark.is_partial && mark.value.is_some())
    }

    pub fn svg(&self) -> String {
        let values = self.marks.iter().flat_map(|mark| [mark.value, mark.p75, mark.p90, mark.before]).flatten();
        let axis = axis(self.unit, values.fold(0.0, f64::max));
        let slot = (WIDTH - LEFT - RIGHT) / self.marks.len().max(1) as f64;
        let x = |place: usize| LEFT + slot * (place as f64 + 0.5);
        let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value / axis.top).clamp(0.0, 1.0);
        let mut svg = Svg(String::with_capacity(4096));
        let (title_id, description_id) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        let view = format!("0 0 {WIDTH} {HEIGHT}");
        let labelled = format!("{title_id} {description_id}");
        svg.open("svg", &[("class", "chart"), ("viewBox", &view), ("role", "img"), ("aria-labelledby", &labelled)]);
        svg.text("title", &[("id", &title_id)], &self.title);
        svg.text("desc", &[("id", &description_id)], &self.description);
        for (value, label) in &axis.ticks {
            let place = at(y(*value));
            svg.titled("line", &[("class", "grid"), ("x1", &at(LEFT)), ("x2", &at(WIDTH - RIGHT)), ("y1", &place), ("y2", &place)], "");
            svg.text("text", &[("class", "tick"), ("x", &at(LEFT - 8.0)), ("y", &at(y(*value) + 4.0)), ("text-anchor", "end")], label);
        }
        let every = self.marks.len().div_ceil(LABELS).max(1);
        for (place, mark) in self.marks.iter().enumerate().filter(|(place, _)| place % every == 0) {
            svg.text("text", &[("class", "tick"), ("x", &at(x(place))), ("y", &at(HEIGHT - 8.0)), ("text-anchor", "middle")], &mark.label);
        }
        match self.style {
            Style::Line => self.line(&mut svg, &x, &y),
            Style::Bars => self.bars(&mut svg, slot, &x, &y),
        }
        let before: Vec<Option<f64>> = self.marks.iter().map(|mark| mark.before).collect();
        svg.path("before", &polyline(&before, &x, &y, |_| true));
        svg.close("svg");
        svg.0
    }

    fn bars(&self, svg: &mut Svg, slot: f64, x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) {
        let width = (slot * 0.7).clamp(1.0, 40.0);
        for (place, mark) in self.marks.iter().enumerate() {
            let Some(value) = mark.value else { continue };
            // A zero that is known is a line on the ground; what is not known is nothing.
            let height = (y(0.0) - y(value)).max(1.0);
            let class = if mark.is_partial { "bar partial" } else { "bar" };
            let (left, top) = (at(x(place) - width / 2.0), at(y(0.0) - height));
            svg.titled("rect", &[("class", class), ("x", &left), ("y", &top), ("width", &at(width)), ("height", &at(height))], &mark.title);
        }
    }

    fn line(&self, svg: &mut Svg, x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) {
        self.band(svg, "band wide", x, y, |mark| mark.p75.zip(mark.p90));
        self.band(svg, "band", x, y, |mark| mark.value.zip(mark.p75));
        let values: Vec<Option<f64>> = self.marks.iter().map(|mark| mark.value).collect();
        let is_whole = |place: usize| !self.marks[place].is_partial && place > 0 && !self.marks[place - 1].is_partial;
        svg.path("line", &polyline(&values, x, y, is_whole));
        svg.path("line partial", &polyline(&values, x, y, |place| !is_whole(place)));
        for (place, mark) in self.marks.iter().enumerate() {
            let Some(value) = mark.value else { continue };
            let class = if mark.is_partial { "dot partial" } else { "dot" };
            svg.titled("circle", &[("class", class), ("cx", &at(x(place))), ("cy", &at(y(value))), ("r", "3.5")], &mark.title);
        }
    }

    fn band(
        &self,
        svg: &mut Svg,
        class: &str,
        x: &dyn Fn(usize) -> f64,
        y: &dyn Fn(f64) -> f64,
        ends: impl Fn(&Mark) -> Option<(f64, f64)>,
    ) {
        let ends: Vec<Option<(f64, f64)>> = self.marks.iter().map(ends).collect();
        let mut d = String::new();
        for (from, to) in runs(ends.iter().map(Option::is_some)) {
            let part: Vec<(usize, (f64, f64))> = (from..to).filter_map(|place| Some((place, ends[place]?))).collect();
            // A bucket between two gaps has a width too.
            let reach = if part.len() == 1 { 3.0 } else { 0.0 };
            let upper = part.iter().map(|(place, (_, high))| (x(*place), y(*high)));
            let lower = part.iter().rev().map(|(place, (low, _))| (x(*place), y(*low)));
            let outline: Vec<(f64, f64)> = match part.as_slice() {
                [(place, (low, high))] => {
                    let (left, right) = (x(*place) - reach, x(*place) + reach);
                    vec![(left, y(*high)), (right, y(*high)), (right, y(*low)), (left, y(*low))]
                }
                _ => upper.chain(lower).collect(),
            };
            for (i, (across, down)) in outline.into_iter().enumerate() {
                let _ = write!(d, "{}{} {}", if i == 0 { 'M' } else { 'L' }, at(across), at(down));
            }
            d.push('Z');
        }
        svg.path(class, &d);
    }
}

/// The joints between neighbouring values; `wanted` says of each whether the joint that ends there is drawn.
fn polyline(values: &[Option<f64>], x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64, wanted: impl Fn(usize) -> bool) -> String {
    let mut d = String::new();
    let mut end = None;
    for place in 1..values.len() {
        let (Some(from), Some(to)) = (values[place - 1], values[place]) else { continue };
        if !wanted(place) {
            continue;
        }
        if end != Some(place - 1) {
            let _ = write!(d, "M{} {}", at(x(place - 1)), at(y(from)));
        }
        let _ = write!(d, "L{} {}", at(x(place)), at(y(to)));
        end = Some(place);
    }
    d
}

/// A trend the size of a word. It says nothing that does not stand in a table too, so it is hidden from screen readers.
pub fn sparkline(marks: &[Mark]) -> String {
    const WIDTH: f64 = 96.0;
    const HEIGHT: f64 = 24.0;
    let values: Vec<Option<f64>> = marks.iter().map(|mark| mark.value).collect();
    if values.iter().flatten().next().is_none() {
        return String::new();
    }
    let top = values.iter().flatten().copied().fold(0.0, f64::max);
    let slot = (WIDTH - 6.0) / (marks.len().max(2) - 1) as f64;
    let x = |place: usize| 3.0 + slot * place as f64;
    let y = |value: f64| if top > 0.0 { HEIGHT - 3.0 - (HEIGHT - 6.0) * value / top } else { HEIGHT - 3.0 };
    let mut svg = Svg(String::with_capacity(600));
    svg.open(
        "svg",
        &[
            ("class", "spark"),
            ("viewBox", &format!("0 0 {WIDTH} {HEIGHT}")),
            ("preserveAspectRatio", "xMinYMid"),
            ("aria-hidden", "true"),
            ("focusable", "false"),
        ],
    );
    svg.path("line", &polyline(&values, &x, &y, |_| true));
    let runs = runs(values.iter().map(Option::is_some));
    let last = values.iter().rposition(Option::is_some);
    for (place, value) in values.iter().enumerate().filter_map(|(place, value)| Some((place, (*value)?))) {
        // A value between two gaps has no line, and the last one is where the eye ends.
        if last == Some(place) || runs.contains(&(place, place + 1)) {
            let class = if marks[place].is_partial { "dot partial" } else { "dot" };
            svg.titled("circle", &[("class", class), ("cx", &at(x(place))), ("cy", &at(y(value))), ("r", "2.2")], "");
        }
    }
    svg.close("svg");
    svg.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(style: Style, unit: &'static str, values: &[Option<f64>]) -> Chart {
        let marks = values
            .iter()
            .map(|value| Mark { value: *value, label: "1 <b>".into(), title: "\"x\" & y".into(), ..Mark::default() })
            .collect();
        Chart { id: "c".into(), title: "<script>".into(), description: "d".into(), unit, style, marks }
    }

    #[test]
    fn gaps_are_gaps() {
        let svg = chart(Style::Line, "s", &[Some(60.0), Some(120.0), None, Some(60.0), Some(90.0)]).svg();
        let line = svg.split("class=\"line\" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a line");
        assert_eq!(line.matches('M').count(), 2);
        assert_eq!(svg.matches("<circle").count(), 4);
        let bars = chart(Style::Bars, "1/d", &[Some(0.0), None, Some(2.0)]).svg();
        assert_eq!(bars.matches("<rect").count(), 2);
    }

    #[test]
    fn partial_buckets_look_different() {
        let mut chart = chart(Style::Line, "1", &[Some(0.1), Some(0.2), Some(0.3)]);
        chart.marks[2].is_partial = true;
        let svg = chart.svg();
        assert!(svg.contains("class=\"line partial\"") && svg.contains("class=\"dot partial\""));
    }

    #[test]
    fn names_cannot_leave_the_text() {
        let svg = chart(Style::Line, "s", &[Some(1.0)]).svg();
        assert!(!svg.contains("<script>") && !svg.contains("<b>") && svg.contains("&quot;x&quot; &amp; y"));
        assert!(!svg.contains("style="));
    }

    #[test]
    fn axes_have_round_steps() {
        let labels = |unit: &str, max: f64| axis(unit, max).ticks.into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels("s", 200_000.0), ["0 s", "1 d", "2 d", "3 d"]);
        assert_eq!(labels("s", 3000.0), ["0 s", "15 min", "30 min", "45 min", "1 h"]);
        assert_eq!(labels("1", 0.33), ["0 %", "10 %", "20 %", "30 %", "40 %"]);
        assert_eq!(labels("1/d", 0.5), ["0/week", "1/week", "2/week", "3/week", "4/week"]);
        assert_eq!(labels("1/d", 0.0), ["0/day", "0.5/day"]);
    }

    #[test]
    fn a_sparkline_of_nothing_is_nothing() {
        assert_eq!(sparkline(&[Mark::default()]), "");
        let marks = [Mark { value: Some(1.0), ..Mark::default() }];
        assert!(sparkline(&marks).contains("aria-hidden=\"true\""));
    }
}
