//! Makes a world that breaks a promise smaller while it still does, and says how to see it.

use anyhow::{Error, Result};
use stepwell_tests::simulation::{Circles, Fleet, Sabotage, Tally, Telling};

use crate::drawn::{Drawn, Less, MOST as MOST_EXECUTIONS, NoSimpler, Worlds};

/// Worlds that are lived through at most in search of a smaller one, and for one machine. One that goes round in circles
/// takes as long as many others.
const MOST: u32 = 1_500;
const CIRCLES: u32 = 15;
const MOST_FOR_A_MACHINE: usize = 350;

/// Lives through the world of a seed.
pub fn live(worlds: &Worlds, seed: u64, less: &Less, sabotage: Option<Sabotage>, told: Telling) -> Result<Tally> {
    let Drawn { mut of, executions, random: _ } = worlds.draw(seed, less)?;
    of.sabotage = sabotage;
    Fleet::new(of, &executions)?.run(told)
}

/// A smaller world that still breaks a promise, and how it does.
pub fn shrunk(worlds: &Worlds, seed: u64, sabotage: Option<Sabotage>) -> (Less, Error) {
    let mut search = Search { worlds, seed, sabotage, left: MOST };
    let mut least = Less::default();
    for word in Less::WORDS {
        search.take(&mut least, |less| less.without(word));
    }
    for place in 0..=MOST_EXECUTIONS {
        search.take(&mut least, |less| less.without_execution(place));
    }
    for place in worlds.draw(seed, &least).map(|drawn| drawn.random).unwrap_or_default() {
        search.simplify(&mut least, place);
    }
    let broken = live(worlds, seed, &least, sabotage, Telling::Everything);
    (least, broken.err().unwrap_or_else(|| Error::msg("it breaks no promise when somebody looks")))
}

struct Search<'w> {
    worlds: &'w Worlds,
    seed: u64,
    sabotage: Option<Sabotage>,
    left: u32,
}

impl Search<'_> {
    fn take(&mut self, least: &mut Less, change: impl FnOnce(&Less) -> Less) {
        let less = change(least);
        if self.breaks(&less) == Some(true) {
            *least = less;
        }
    }

    /// Simplifies a machine as long as that is possible: further while the world breaks, back when it does not.
    fn simplify(&mut self, least: &mut Less, place: u64) {
        let mut how = String::from("s");
        while how.len() <= MOST_FOR_A_MACHINE
            && let Some(broken) = self.breaks(&least.with_simpler(place, &how))
        {
            if broken {
                *least = least.with_simpler(place, &how);
            }
            how.push(if broken { 's' } else { 'c' });
        }
    }

    /// Whether the world breaks a promise; `None` when there is no such world, or no time to try it.
    fn breaks(&mut self, less: &Less) -> Option<bool> {
        self.left = self.left.checked_sub(1)?;
        match live(self.worlds, self.seed, less, self.sabotage, Telling::Nothing) {
            Ok(_) => Some(false),
            Err(error) if error.is::<NoSimpler>() => None,
            Err(error) if error.is::<Circles>() => {
                self.left = self.left.saturating_sub(CIRCLES);
                Some(true)
            }
            Err(_) => Some(true),
        }
    }
}
