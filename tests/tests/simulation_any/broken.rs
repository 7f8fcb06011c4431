//! A world whose ports break a promise is found broken, and by the check that is there for it.

use anyhow::{Context, Result, ensure};
use stepwell_tests::simulation::{Sabotage, Telling};

use crate::drawn::{Less, Worlds};
use crate::shrink;

/// Worlds that are tried until one shows it.
const WORLDS: u64 = 600;

/// The sabotage, and the messages of the check; one of these is enough.
const BROKEN: &[(Sabotage, &[&str])] = &[
    (Sabotage::StartsAreForgotten, &["an acknowledged start was lost"]),
    (Sabotage::ClaimsAreForgotten, &["started twice, or without its claim"]),
    (Sabotage::AnswersAreForgotten, &["an acknowledged answer was lost"]),
    (Sabotage::CellsAreForgotten, &["an acknowledged answer was lost"]),
    (Sabotage::StopsAreForgotten, &["an acknowledged stop was lost"]),
    (Sabotage::TheLastWriterWins, &["started twice, or without its claim", "stands at place", "not what a run"]),
    (Sabotage::DueTimesAreDropped, &["nothing moves any more"]),
    (Sabotage::MessagesAreDropped, &["nothing moves any more"]),
    (Sabotage::TheSweepSleeps, &["nothing moves any more"]),
    (Sabotage::MessagesMultiply, &["messages for"]),
    (Sabotage::CallsAreRepeated, &["started twice, or without its claim"]),
    (Sabotage::EventIdsAreDoubled, &["stands at place"]),
    (Sabotage::LinksAreBent, &["follows", "instead of"]),
    (Sabotage::TimeRunsBackwards, &["is earlier than the one before it"]),
    (Sabotage::PayloadsChange, &["instead of", "nobody said"]),
    (Sabotage::ListsAreWrong, &["it is listed as", "instead of SUCCEEDED"]),
];

#[test]
fn every_broken_promise_of_a_port_is_seen() -> Result<()> {
    let worlds = Worlds::new()?;
    for (sabotage, words) in BROKEN {
        let mut seen = Vec::new();
        let found = (1..=WORLDS).find_map(|seed| {
            let error = shrink::live(&worlds, seed, &Less::default(), Some(*sabotage), Telling::Nothing).err()?;
            let said = format!("{error:#}");
            let fits = words.iter().any(|word| said.contains(word));
            seen.push(said);
            fits.then_some(seed)
        });
        let seed = found.with_context(|| format!("{sabotage:?} is not seen as such in {WORLDS} worlds: {seen:#?}"))?;
        println!("{sabotage:?}: seed {seed}, {}", seen.last().map_or("", |said| first_line(said)));
    }
    Ok(())
}

#[test]
fn a_world_that_is_found_broken_is_made_smaller_while_it_is() -> Result<()> {
    let worlds = Worlds::new()?;
    let sabotage = Some(Sabotage::CallsAreRepeated);
    let breaks = |seed: &u64| {
        let drawn = worlds.draw(*seed, &Less::default()).is_ok_and(|drawn| drawn.executions.len() > 2);
        drawn && shrink::live(&worlds, *seed, &Less::default(), sabotage, Telling::Nothing).is_err()
    };
    let seed = (1..=WORLDS).find(breaks).context("no world breaks")?;
    let (less, error) = shrink::shrunk(&worlds, seed, sabotage);
    println!("seed {seed}: {less}");
    ensure!(format!("{error:#}").contains("started twice"), "{error:#}");
    let size = |less: &Less| -> Result<usize> {
        Ok(worlds.draw(seed, less)?.executions.iter().map(|one| one.definition.to_string().len()).sum())
    };
    let (before, after) = (size(&Less::default())?, size(&less)?);
    println!("from {before} to {after} bytes of definitions");
    ensure!(after * 2 < before, "it did not become much smaller");
    let again = shrink::live(&worlds, seed, &less.to_string().parse()?, sabotage, Telling::Nothing);
    ensure!(again.is_err(), "what is printed breaks nothing");
    Ok(())
}

fn first_line(said: &str) -> &str {
    let shown = said.lines().next().unwrap_or_default();
    shown.get(..240).unwrap_or(shown)
}
