//! In which order a round takes in what happened, and as of when.
//!
//! A holder may be kept waiting by its store: by the commit before, by one that has to be tried again, by a read. What happens
//! meanwhile happened when it did. So each thing is stepped as of its own time: what was due by then comes first, and what
//! was due later is not due yet. Otherwise, of many calls that returned in time while the store was slow, the first one
//! stepped would show that the time of the others is over.

use interpreter::{Stimulus, Timestamp};

use super::hold::Holder;
use super::round::Round;
use super::{Letter, Said};

/// What a round takes in.
#[derive(Clone, Copy)]
enum News<'a> {
    Brought(&'a Stimulus),
    /// The letter at that place.
    Said(usize, &'a Said),
}

impl Holder {
    /// Takes over what calls brought.
    pub(super) fn hear_calls(&mut self) {
        let now = self.now();
        self.brought.extend(self.calls.ready(now));
    }

    /// Steps what calls brought and what letters say, until the round is full. Answers which letters changed something,
    /// where they had their turn.
    pub(super) fn take_in(&mut self, letters: &[Letter], now: Timestamp, round: &mut Round) -> Vec<Option<bool>> {
        self.brought.sort_by_key(|one| one.at);
        let brought = self.brought.clone();
        let returned = brought.iter().map(|one| (one.at, News::Brought(&one.stimulus)));
        let said = letters.iter().enumerate().map(|(place, letter)| (letter.at, News::Said(place, &letter.said)));
        let mut happened: Vec<(Timestamp, News<'_>)> = returned.chain(said).collect();
        happened.sort_by_key(|(at, _)| *at);
        let mut counted = vec![None; letters.len()];
        for (at, news) in happened {
            let at = at.min(now).max(self.held.at);
            let due = self.held.snapshot.due().is_some_and(|due| due <= at);
            if due && !self.deliver.is_full(round) && self.is_news(news) {
                self.step(Stimulus::Tick, at, round);
            }
            if self.deliver.is_full(round) {
                break;
            }
            let is_news = self.is_news(news);
            match news {
                News::Brought(stimulus) => {
                    round.taken += 1;
                    if is_news {
                        self.step(stimulus.clone(), at, round);
                    }
                }
                News::Said(place, said) => {
                    counted.get_mut(place).into_iter().for_each(|counted| *counted = Some(is_news));
                    if is_news {
                        self.step(said.stimulus(at), at, round);
                    }
                }
            }
        }
        counted
    }

    /// Whether it would still change something.
    fn is_news(&self, news: News<'_>) -> bool {
        match news {
            News::Brought(Stimulus::Started) => true,
            News::Brought(stimulus) => stimulus.wait().is_some_and(|wait| self.held.snapshot.attempt(wait).is_some()),
            News::Said(_, said) => self.counts(said),
        }
    }

    /// A moment of this round at which nothing is due yet: what is known to have come first is stepped then.
    pub(super) fn before_what_is_due(&self, now: Timestamp) -> Timestamp {
        let before = self.held.snapshot.due().map_or(now, |due| due.plus_millis(-1));
        now.min(before).max(self.held.at)
    }
}
