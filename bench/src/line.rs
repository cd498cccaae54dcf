//! What a line of the bench is, and what it says.

use std::fmt;

use anyhow::Result;

/// One thing worth measuring.
pub trait Line: Sync {
    /// What a person types: `cargo xtask bench NAME`.
    fn name(&self) -> &'static str;
    /// Ours and its floor, in one sentence.
    fn about(&self) -> &'static str;
    /// Measures both in the same run, in turns, so that the machine's mood touches both.
    fn measure(&self) -> Result<Outcome>;
}

/// What came of measuring.
pub enum Outcome {
    Measured(Figure),
    /// The peer to measure against is not on this machine; why, and what helps.
    Absent(String),
}

/// Ours beside the floor, in the same unit.
pub struct Figure {
    ours: f64,
    beside: Option<Beside>,
    unit: &'static str,
    aim: Aim,
}

struct Beside {
    floor: f64,
    ratio: f64,
}

#[derive(Clone, Copy)]
pub enum Aim {
    /// Ours divided by the floor is at least this: rates.
    RatioAtLeast(f64),
    /// Ours divided by the floor is at most this: costs.
    RatioAtMost(f64),
    /// Ours itself is at most this, in the figure's unit.
    AtMost(f64),
    /// Shown, with no aim.
    None,
}

/// Turns that floor and ours take. A machine that is busy for a moment spoils one of them, and the median does not care.
pub const ROUNDS: usize = 5;

/// Lets floor and ours take turns.
pub fn in_turns(
    mut floor: impl FnMut() -> Result<f64>,
    mut ours: impl FnMut() -> Result<f64>,
) -> Result<Vec<(f64, f64)>> {
    // The first of each warms caches and connections and is not counted.
    floor()?;
    ours()?;
    (0..ROUNDS).map(|_| Ok((floor()?, ours()?))).collect()
}

impl Figure {
    /// A figure with an aim of its own (a start-up time, a size).
    pub fn alone(ours: f64, unit: &'static str, aim: Aim) -> Self {
        Self { ours, beside: None, unit, aim }
    }

    /// Medians; the ratio is the median of the rounds' ratios, not the ratio of the medians.
    pub fn beside(rounds: &[(f64, f64)], unit: &'static str, aim: Aim) -> Self {
        let of = |pick: fn(&(f64, f64)) -> f64| median(rounds.iter().map(pick).collect());
        let beside = Beside { floor: of(|r| r.0), ratio: of(|r| r.1 / r.0) };
        Self { ours: of(|r| r.1), beside: Some(beside), unit, aim }
    }

    pub fn ratio(&self) -> Option<f64> {
        self.beside.as_ref().map(|b| b.ratio)
    }

    pub fn met(&self) -> bool {
        match self.aim {
            Aim::RatioAtLeast(aim) => self.ratio().is_some_and(|ratio| ratio >= aim),
            Aim::RatioAtMost(aim) => self.ratio().is_some_and(|ratio| ratio <= aim),
            Aim::AtMost(aim) => self.ours <= aim,
            Aim::None => true,
        }
    }
}

/// The middle one; 0 of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = |value: f64| format!("{} {}", short(value), self.unit);
        let floor = self.beside.as_ref().map_or_else(|| "-".to_owned(), |b| amount(b.floor));
        let ratio = self.ratio().map_or_else(|| "-".to_owned(), short);
        let aim = match self.aim {
            Aim::RatioAtLeast(aim) => format!("at least {}", short(aim)),
            Aim::RatioAtMost(aim) => format!("at most {}", short(aim)),
            Aim::AtMost(aim) => format!("at most {}", amount(aim)),
            Aim::None => "-".to_owned(),
        };
        let verdict = if self.met() { "" } else { "  MISSED" };
        write!(f, "{:>16} | {floor:>16} | {ratio:>7} | {aim}{verdict}", amount(self.ours))
    }
}

/// Three figures are what such a measurement is good for.
fn short(value: f64) -> String {
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_above_its_aim_is_shown_as_missed() {
        let figure = Figure::beside(&[(220.0, 330.0)], "us", Aim::RatioAtMost(1.4));
        assert!(!figure.met());
        assert!(figure.to_string().ends_with("1.50 | at most 1.40  MISSED"), "{figure}");
    }

    #[test]
    fn a_round_that_was_disturbed_does_not_count() {
        let figure = Figure::beside(&[(10.0, 9.0), (10.0, 1.0), (20.0, 18.0)], "/s", Aim::RatioAtLeast(0.9));
        assert!(figure.met(), "{figure}");
    }

    #[test]
    fn an_aim_on_the_figure_itself_needs_no_floor() {
        let figure = Figure::alone(11.5, "MiB", Aim::AtMost(12.0));
        assert!(figure.met());
        assert_eq!(figure.ratio(), None);
    }
}
