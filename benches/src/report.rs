//! Figures beside their promises: printed, and written as JSON.

use std::fmt::{self, Display};

use serde_json::{Value, json};

/// What is promised of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Promise {
    bound: Bound,
    aim: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Promise {
    pub(crate) const fn at_most(most: f64) -> Self {
        Self { bound: Bound::AtMost(most), aim: None }
    }

    pub(crate) const fn at_least(least: f64) -> Self {
        Self { bound: Bound::AtLeast(least), aim: None }
    }

    /// Better than promised would be this.
    pub(crate) const fn aiming_at(self, aim: f64) -> Self {
        Self { aim: Some(aim), ..self }
    }

    fn is_met_by(&self, value: f64) -> bool {
        match self.bound {
            Bound::AtMost(most) => value <= most,
            Bound::AtLeast(least) => value >= least,
        }
    }

    fn json(&self) -> Value {
        match self.bound {
            Bound::AtMost(most) => json!({"at_most": most, "aim": self.aim}),
            Bound::AtLeast(least) => json!({"at_least": least, "aim": self.aim}),
        }
    }
}

impl Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bound {
            Bound::AtMost(most) => write!(f, "promise <= {}", number(most))?,
            Bound::AtLeast(least) => write!(f, "promise >= {}", number(least))?,
        }
        self.aim.map_or(Ok(()), |aim| write!(f, ", aim {}", number(aim)))
    }
}

/// A figure: the median of several, where there are several.
#[derive(Debug)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    spread: Option<(f64, f64)>,
    promise: Option<Promise>,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, spread: None, promise: None }
    }

    /// The median of values, with the smallest and the largest.
    pub(crate) fn of(name: impl Into<String>, values: &[f64], unit: &'static str) -> Self {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { spread: Some((least, most)), ..Self::new(name, median(values), unit) }
    }

    pub(crate) fn promised(self, promise: Promise) -> Self {
        Self { promise: Some(promise), ..self }
    }

    fn verdict(&self) -> Option<&'static str> {
        self.promise.map(|promise| if promise.is_met_by(self.value) { "met" } else { "MISSED" })
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "least": self.spread.map(|spread| spread.0),
            "most": self.spread.map(|spread| spread.1),
            "promise": self.promise.map(|promise| promise.json()),
            "met": self.promise.map(|promise| promise.is_met_by(self.value)),
        })
    }
}

impl Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = format!("{} {}", number(self.value), self.unit);
        let spread = self
            .spread
            .map_or(String::new(), |(least, most)| format!("({} to {})", number(least), number(most)));
        let verdict = self.verdict().unwrap_or_default();
        let promise = self.promise.map_or(String::new(), |promise| promise.to_string());
        let line = format!("{verdict:<7} {:<52} {value:>16}  {spread:<20} {promise}", self.name);
        f.write_str(line.trim_end())
    }
}

/// Figures in the order in which they were measured; each is printed when it is there.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Figure>);

impl Report {
    pub(crate) fn add(&mut self, figure: Figure) {
        println!("{figure}");
        self.0.push(figure);
    }

    /// What came of all of it, and what is missed.
    pub(crate) fn summarize(&self) {
        if self.0.is_empty() {
            return;
        }
        let with = |verdict| self.0.iter().filter(move |figure| figure.verdict() == Some(verdict));
        println!("\n{} promises met, {} missed", with("met").count(), with("MISSED").count());
        with("MISSED").for_each(|figure| println!("{figure}"));
    }

    pub(crate) fn json(&self) -> String {
        let figures = self.0.iter().map(Figure::json).collect();
        format!("{:#}\n", Value::Array(figures))
    }
}

/// The middle one; of an even number, the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (half, at) = (sorted.len() / 2, |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN));
    if sorted.len() % 2 == 1 { at(half) } else { f64::midpoint(at(half.wrapping_sub(1)), at(half)) }
}

/// As many digits as a reader needs.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => {
            let digits = format!("{value:.0}");
            let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
            groups.collect::<Vec<_>>().join(",")
        }
        medium if medium >= 100.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_judged_and_shown() {
        let figure =
            Figure::of("Encrypt", &[1.5, 2.5, 1.9], "x").promised(Promise::at_most(2.0).aiming_at(1.6));
        assert_eq!(figure.verdict(), Some("met"));
        let shown = figure.to_string();
        assert!(shown.contains("1.90 x") && shown.contains("(1.50 to 2.50)"), "{shown}");
        assert!(shown.ends_with("promise <= 2.00, aim 1.60"), "{shown}");
        assert_eq!(Figure::new("a", 7.0, "").promised(Promise::at_least(8.0)).verdict(), Some("MISSED"));
    }

    #[test]
    fn numbers_have_the_digits_that_matter() {
        assert_eq!(
            [0.123, 12.34, 123.4, 1234.0, 1_234_567.0].map(number),
            ["0.12", "12.3", "123", "1,234", "1,234,567"]
        );
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!([median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0])], [2.0, 2.5]);
        assert!(median(&[]).is_nan());
    }
}
