//! What a line of the bench is, and what it says.

use std::fmt;

use anyhow::Result;

/// One thing worth measuring.
pub trait Line: Sync {
    /// What a person types: `cargo xtask bench NAME`.
    fn name(&self) -> &'static str;
    /// Ours and its floor, in one sentence.
    fn about(&self) -> &'static str;
    /// Measures both in the same run, so that the machine's mood touches both.
    fn measure(&self) -> Result<Figure>;
}

/// Ours beside the floor, in the same unit.
pub struct Figure {
    pub ours: f64,
    /// `None` where the aim is on our figure itself (a start-up time, a size).
    pub floor: Option<f64>,
    pub unit: &'static str,
    pub aim: Aim,
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

impl Figure {
    pub fn ratio(&self) -> Option<f64> {
        self.floor.map(|floor| self.ours / floor)
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

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = |value: f64| format!("{} {}", short(value), self.unit);
        let floor = self.floor.map_or_else(|| "-".to_owned(), amount);
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
        let figure = Figure { ours: 330.0, floor: Some(220.0), unit: "us", aim: Aim::RatioAtMost(1.4) };
        assert!(!figure.met());
        assert!(figure.to_string().ends_with("1.50 | at most 1.40  MISSED"), "{figure}");
    }

    #[test]
    fn an_aim_on_the_figure_itself_needs_no_floor() {
        let figure = Figure { ours: 11.5, floor: None, unit: "MiB", aim: Aim::AtMost(12.0) };
        assert!(figure.met());
        assert_eq!(figure.ratio(), None);
    }
}
