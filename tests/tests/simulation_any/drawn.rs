//! Worlds drawn from a seed: how many processes there are, how much time they have, what may go wrong, and what they are
//! asked to execute: reference scenarios and random machines. A world can be drawn with less in it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use engine::Deployment;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use stepwell_tests::simulation::{Alone, Chance, Circumstances, Faults, Room, Scenario, Trouble};

use crate::machines;

/// Events of a random machine's history: few, so that loops end.
const EVENTS: u64 = 120;
/// Bytes of its payloads: few, so that what grows in a loop meets the limit.
const PAYLOAD: usize = 8_192;

/// Executions of a world at most, besides the one for which answers lose their races, where any do.
pub const MOST: u64 = 4;
const CONTENDED: &str = "tokens_with_little_time_beside_a_row_of_tasks";

/// Draws worlds.
pub struct Worlds {
    scenarios: Vec<Scenario>,
    definitions: BoxedStrategy<Value>,
}

/// A world.
pub struct Drawn {
    pub of: Circumstances,
    pub executions: Vec<Scenario>,
    /// The places of those whose machines are random.
    pub random: Vec<u64>,
}

impl Worlds {
    pub fn new() -> Result<Worlds> {
        Ok(Worlds { scenarios: Scenario::all()?, definitions: machines::definition().boxed() })
    }

    /// The world of a seed without what is left out.
    pub fn draw(&self, seed: u64, less: &Less) -> Result<Drawn> {
        let mut chance = Chance::new(seed);
        let of = circumstances(seed, &mut chance, less);
        let (mut executions, mut machines) = (Vec::new(), Vec::new());
        for place in 0..chance.up_to(MOST) {
            let (random, which) = (chance.up_to(3) > 1, chance.up_to(self.scenarios.len() as u64) - 1);
            let drawn = if random {
                let mut tree = self.machine(chance.draw())?;
                less.simplify(place, &mut *tree)?;
                machine(place, tree.current())
            } else {
                self.scenarios.get(usize::try_from(which)?).context("a scenario")?.clone()
            };
            if !less.executions.contains(&place) {
                executions.push(drawn);
                machines.extend(random.then_some(place));
            }
        }
        if matches!(of.faults, Faults::Chance(Trouble { contention: true, .. })) && !less.executions.contains(&MOST) {
            let contended = self.scenarios.iter().find(|one| one.name == CONTENDED);
            executions.push(contended.context(CONTENDED)?.clone());
        }
        Ok(Drawn { of, executions, random: machines })
    }

    /// A process alone, and executions of random machines in it.
    pub fn draw_alone(&self, seed: u64) -> Result<(Alone, Vec<Scenario>)> {
        let mut chance = Chance::new(seed);
        let (room, express) = (Room::drawn(&mut chance), chance.up_to(5).saturating_sub(3));
        let executions = (0..chance.up_to(3)).map(|place| Ok(machine(place, self.machine(chance.draw())?.current())));
        Ok((Alone { seed, room, express, sabotage: None }, executions.collect::<Result<_>>()?))
    }

    /// The definition that this seed draws, and all that are simpler.
    fn machine(&self, seed: u64) -> Result<Box<dyn ValueTree<Value = Value>>> {
        let mut bytes = [0; 32];
        for (byte, drawn) in bytes.iter_mut().zip(seed.to_le_bytes()) {
            *byte = drawn;
        }
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        let tree = self.definitions.new_tree(&mut runner);
        tree.map(|tree| Box::new(tree) as Box<dyn ValueTree<Value = Value>>)
            .map_err(|reason| anyhow::anyhow!("no machine is drawn: {reason}"))
    }
}

/// An execution of a random machine, whose functions and clients reply at random.
fn machine(place: u64, definition: Value) -> Scenario {
    Scenario {
        name: format!("any{place}"),
        definition,
        input: machines::input(),
        functions: std::collections::BTreeMap::new(),
        stop: None,
        expected: None,
        events: Some(EVENTS),
        payload_bytes: Some(PAYLOAD),
    }
}

fn circumstances(seed: u64, chance: &mut Chance, less: &Less) -> Circumstances {
    let mut one_of = |seconds: &[u64]| {
        let place = usize::try_from(chance.up_to(seconds.len() as u64) - 1).unwrap_or(0);
        Duration::from_secs(seconds.get(place).copied().unwrap_or(60))
    };
    let (term, limit) = (one_of(&[20, 60, 300, 900]), one_of(&[20, 60, 900]));
    let visibility = one_of(&[30, term.as_secs() + 15, term.as_secs() + 15]);
    let (workers, fronts) = (chance.up_to(4), chance.up_to(3));
    let (shares, busy, express) = (chance.up_to(4) == 1, chance.up_to(3) == 1, chance.up_to(6).saturating_sub(4));
    let (room, losses, contention) = (Room::drawn(chance), chance.up_to(6) == 1, chance.up_to(16) == 1);
    let trouble = Trouble {
        deaths: !less.has("deaths"),
        failing: !less.has("failing"),
        latency: !less.has("latency"),
        slowness: !less.has("slowness"),
        moods: !less.has("moods"),
        skew_ms: if less.has("skew") { 0 } else { Trouble::ALL.skew_ms },
        stops: !less.has("stops"),
        contention: contention && !less.has("contention"),
        redrives: !less.has("redrives"),
        losses: losses && !less.has("losses"),
    };
    let count = |number, word| if less.has(word) { 1 } else { usize::try_from(number).unwrap_or(1) };
    Circumstances {
        seed,
        workers: count(workers, "workers"),
        fronts: count(fronts, "fronts"),
        fronts_are: if shares { Deployment::SharedWorker } else { Deployment::ApiOnly },
        at_once: if busy && !less.has("batches") { 3 } else { 1 },
        term,
        limit,
        visibility,
        room: if less.has("narrowness") { Room::AMPLE } else { room },
        express: if less.has("express") { 0 } else { express },
        faults: Faults::Chance(trouble),
        sabotage: None,
    }
}

/// The omissions of a world, as `STEPWELL_LESS` has them: `-deaths -2 0:12s1c4s` is a world without deaths, without
/// its third execution, and with the first one's machine simplified (`s`) and that taken back (`c`) in this order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Less {
    words: Vec<String>,
    executions: Vec<u64>,
    simpler: Vec<(u64, String)>,
}

impl Less {
    /// The omissions that any world allows.
    pub const WORDS: &[&str] = &[
        "deaths",
        "failing",
        "latency",
        "slowness",
        "moods",
        "skew",
        "stops",
        "contention",
        "redrives",
        "losses",
        "express",
        "batches",
        "workers",
        "fronts",
        "narrowness",
    ];

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|one| one == word)
    }

    pub fn without(&self, word: &str) -> Less {
        let mut less = self.clone();
        less.words.push(word.to_owned());
        less
    }

    pub fn without_execution(&self, place: u64) -> Less {
        let mut less = self.clone();
        less.executions.push(place);
        less
    }

    pub fn with_simpler(&self, place: u64, how: &str) -> Less {
        let mut less = self.clone();
        less.simpler.retain(|(other, _)| *other != place);
        less.simpler.push((place, how.to_owned()));
        less
    }

    fn simplify(&self, place: u64, tree: &mut dyn ValueTree<Value = Value>) -> Result<()> {
        let how = self.simpler.iter().find(|(other, _)| *other == place).map_or("", |(_, how)| how.as_str());
        for letter in how.chars() {
            let changed = if letter == 's' { tree.simplify() } else { tree.complicate() };
            if !changed {
                bail!(NoSimpler);
            }
        }
        Ok(())
    }
}

/// A machine cannot be simplified any more in this way.
#[derive(Debug)]
pub struct NoSimpler;

impl fmt::Display for NoSimpler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the machine cannot be simplified like that")
    }
}

impl std::error::Error for NoSimpler {}

impl fmt::Display for Less {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words.iter().map(|word| format!("-{word}"));
        let executions = self.executions.iter().map(|place| format!("-{place}"));
        let simpler = self.simpler.iter().map(|(place, how)| format!("{place}:{}", counted(how)));
        f.write_str(&words.chain(executions).chain(simpler).collect::<Vec<_>>().join(" "))
    }
}

impl FromStr for Less {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Less> {
        let mut less = Less::default();
        for part in text.split_whitespace() {
            if let Some((place, how)) = part.split_once(':') {
                less = less.with_simpler(place.parse()?, &spelled(how)?);
                continue;
            }
            let word = part.strip_prefix('-').with_context(|| format!("{part} does not begin with -"))?;
            less = match word.parse() {
                Ok(place) => less.without_execution(place),
                Err(_) if Less::WORDS.contains(&word) => less.without(word),
                Err(_) => bail!("{word} is nothing that can be left out"),
            };
        }
        Ok(less)
    }
}

/// `sssc` as `3s1c`.
fn counted(letters: &str) -> String {
    let mut runs: Vec<(char, usize)> = Vec::new();
    for letter in letters.chars() {
        match runs.last_mut() {
            Some((last, times)) if *last == letter => *times += 1,
            _ => runs.push((letter, 1)),
        }
    }
    runs.iter().map(|(letter, times)| format!("{times}{letter}")).collect()
}

fn spelled(counted: &str) -> Result<String> {
    let runs = counted.split_inclusive(['s', 'c']).map(|run| {
        let (times, letter) = run.split_at(run.len() - 1);
        Ok(letter.repeat(times.parse().with_context(|| format!("{run} is no number of steps"))?))
    });
    runs.collect()
}
