//! Values that come back: found in any of their common forms, however a stream is cut, and written over.

mod forms;

use std::{ops::Range, sync::Arc};

use aho_corasick::{AhoCorasick, MatchKind};
use zeroize::{Zeroize, Zeroizing};

use self::forms::{Form, forms};
use crate::secret::Secret;

/// A shorter value occurs in ordinary text by chance, and writing over it there would destroy what it is not in.
pub const SHORTEST: usize = 8;
/// By how many bytes a form is found before it is compared. The searching automaton keeps its patterns in memory that is not
/// wiped, so it gets no more of a value than that.
const HEAD: usize = 4;

/// What is looked for on behalf of one sandbox: every form of every value that it can use.
pub struct Echo {
    /// In the order of their bytes.
    forms: Vec<Form>,
    heads: AhoCorasick,
    /// For each head the forms that begin with it, the longest first.
    beginning: Vec<Vec<usize>>,
    /// Whether a form begins with a byte.
    first: [bool; 256],
    longest: usize,
}

/// What a look at the start of a place found.
enum Look {
    Form(usize),
    /// It may become a form when more comes.
    Perhaps,
    Nothing,
}

impl Echo {
    /// Knows these values; `None` when none of them is long enough to be looked for.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a Secret>) -> Option<Self> {
        let mut all: Vec<Form> =
            values.into_iter().filter(|value| value.expose().len() >= SHORTEST).flat_map(|value| forms(value.expose())).collect();
        all.sort_by(|one, other| one.text.as_slice().cmp(&other.text));
        all.dedup_by(|one, other| one.text == other.text);
        let mut heads: Vec<&[u8]> = all.iter().map(|form| &form.text[..HEAD]).collect();
        heads.dedup();
        let beginning = heads.iter().map(|head| longest_first(&all, head)).collect();
        let mut first = [false; 256];
        for head in &heads {
            first[usize::from(head[0])] = true;
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(&heads).ok()?;
        let longest = all.iter().map(|form| form.text.len()).max()?;
        Some(Self { beginning, first, longest, heads: automaton, forms: all })
    }

    /// A text with every value in it written over, or `None` when there is none.
    pub fn mask(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut out = Zeroizing::new(text.to_vec());
        let (found, _) = self.write_over(&mut out, true);
        (found > 0).then(|| out.to_vec())
    }

    /// Follows a body from its first byte.
    pub fn stream(self: &Arc<Self>) -> EchoStream {
        EchoStream { echo: self.clone(), held: Zeroizing::default(), passed: 0, found: 0 }
    }

    /// Writes over what is found. Gives how many, and how much of the front nothing that comes later can change.
    fn write_over(&self, text: &mut [u8], whole: bool) -> (usize, usize) {
        let (mut found, mut at) = (0, 0);
        while let Some(candidate) = self.heads.find(&text[at..]) {
            let start = at + candidate.start();
            match self.look(&text[start..], &self.beginning[candidate.pattern().as_usize()], whole) {
                Look::Form(form) => {
                    let mask = &self.forms[form].mask;
                    text[start..start + mask.len()].copy_from_slice(mask);
                    found += 1;
                    at = start + mask.len();
                }
                Look::Perhaps => return (found, start),
                Look::Nothing => at = start + 1,
            }
        }
        (found, if whole { text.len() } else { self.undecided(text, at) })
    }

    fn look(&self, rest: &[u8], forms: &[usize], whole: bool) -> Look {
        for form in forms {
            let text = &self.forms[*form].text;
            if rest.starts_with(text) {
                return Look::Form(*form);
            }
            if !whole && text.starts_with(rest) {
                // A longer form may hold a shorter one, and is written over as a whole.
                return Look::Perhaps;
            }
        }
        Look::Nothing
    }

    /// Where the longest end of the text begins that a form can begin with; nothing before `from` counts.
    fn undecided(&self, text: &[u8], from: usize) -> usize {
        let window = from.max((text.len() + 1).saturating_sub(self.longest))..text.len();
        window.clone().find(|start| self.first[usize::from(text[*start])] && self.begins(&text[*start..])).unwrap_or(window.end)
    }

    fn begins(&self, end: &[u8]) -> bool {
        let next = self.forms.partition_point(|form| form.text.as_slice() < end);
        self.forms.get(next).is_some_and(|form| form.text.starts_with(end))
    }
}

fn longest_first(forms: &[Form], head: &[u8]) -> Vec<usize> {
    let Range { start, end } =
        forms.partition_point(|form| &form.text[..HEAD] < head)..forms.partition_point(|form| &form.text[..HEAD] <= head);
    let mut found: Vec<usize> = (start..end).collect();
    found.sort_by_key(|form| std::cmp::Reverse(forms[*form].text.len()));
    found
}

/// By how much a stream that has paused is let go on although it may be the beginning of a value: a character or two at the end
/// of a message are nearly always chance, and whoever waits for the message must not wait for the next one.
const LET_GO: usize = 3;

/// A body on its way down. It holds back no more than what may be the beginning of a value.
pub struct EchoStream {
    echo: Arc<Echo>,
    held: Zeroizing<Vec<u8>>,
    /// How much of what is held was passed on all the same, and is kept to recognise what follows.
    passed: usize,
    found: usize,
}

impl EchoStream {
    /// What can be passed on once `chunk` has come.
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut text = self.take(chunk);
        let (found, clear) = self.echo.write_over(&mut text, false);
        self.found += found;
        self.held = Zeroizing::new(text[clear..].to_vec());
        text[clear..].zeroize();
        text.truncate(clear);
        self.unpassed(text)
    }

    /// What was held back, when nothing more comes.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut text = self.take(&[]);
        self.found += self.echo.write_over(&mut text, true).0;
        self.unpassed(text)
    }

    /// What may be passed on while nothing comes.
    pub fn pause(&mut self) -> Vec<u8> {
        if self.held.len() > LET_GO {
            return Vec::new();
        }
        let rest = self.held[self.passed..].to_vec();
        self.passed = self.held.len();
        rest
    }

    /// What it looks for.
    pub fn echo(&self) -> &Echo {
        &self.echo
    }

    /// How much is held back.
    pub fn held(&self) -> usize {
        self.held.len() - self.passed
    }

    /// How many values were written over so far.
    pub fn found(&self) -> usize {
        self.found
    }

    fn take(&mut self, chunk: &[u8]) -> Vec<u8> {
        // In one piece from the start: a vector that grows would leave copies behind.
        let mut text = Vec::with_capacity(self.held.len() + chunk.len());
        text.extend_from_slice(&self.held);
        text.extend_from_slice(chunk);
        self.held = Zeroizing::default();
        text
    }

    /// Without the front that was passed on before.
    fn unpassed(&mut self, mut text: Vec<u8>) -> Vec<u8> {
        let known = self.passed.min(text.len());
        self.passed -= known;
        text.drain(..known);
        text
    }
}
