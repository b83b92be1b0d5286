//! The one pass over a piece of text that every injector uses.

use openmiosa_policy::Place;
use zeroize::Zeroizing;

use crate::{
    inject::{Resolve, Use},
    placeholder::{disguised, plain},
    refusal::Refusal,
    resolve::Resolved,
};

/// Bytes of values that one head may be given, so that a placeholder repeated many times cannot grow it without bound.
const MAX_SWAPPED: usize = 64 * 1024;

/// What is known while one head is swapped.
pub(crate) struct Session<'a, 'b> {
    resolve: &'b Resolve<'a, 'b>,
    known: Vec<(String, Place, Resolved<'a>)>,
    uses: Vec<Use>,
    swapped: usize,
}

/// How a value is written in a place.
pub(crate) type Encode = fn(&[u8], &mut Vec<u8>);

impl<'a, 'b> Session<'a, 'b> {
    pub(crate) fn new(resolve: &'b Resolve<'a, 'b>) -> Self {
        Self { resolve, known: Vec::new(), uses: Vec::new(), swapped: 0 }
    }

    pub(crate) fn into_uses(self) -> Vec<Use> {
        self.uses
    }

    /// The text with every placeholder swapped, or `None` when it holds none. What was swapped in is not read again.
    pub(crate) fn rewrite(&mut self, text: &[u8], place: Place, encode: Encode) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
        let mut out = Zeroizing::new(Vec::new());
        let mut done = 0;
        for range in plain(text) {
            let gap = &text[done..range.start];
            refuse_disguised(gap)?;
            let placeholder = &text[range.clone()];
            let resolved = self.lookup(&String::from_utf8_lossy(placeholder), place)?;
            let before_colon = memchr::memchr(b':', &text[..range.start]).is_none();
            let value_error = |error| Refusal::Value { name: resolved.binding.name.clone(), error };
            resolved.secret.check(place, before_colon).map_err(value_error)?;
            // Growing by hand: a vector that moves leaves a copy of the values behind.
            let needed = out.len() + gap.len() + 3 * resolved.secret.expose().len() + (text.len() - range.end);
            grow(&mut out, needed);
            out.extend_from_slice(gap);
            encode(resolved.secret.expose(), &mut out);
            self.swapped += resolved.secret.expose().len();
            if self.swapped > MAX_SWAPPED {
                return Err(Refusal::TooLarge);
            }
            done = range.end;
        }
        refuse_disguised(&text[done..])?;
        if done == 0 {
            return Ok(None);
        }
        out.extend_from_slice(&text[done..]);
        Ok(Some(out))
    }

    fn lookup(&mut self, placeholder: &str, place: Place) -> Result<Resolved<'a>, Refusal> {
        if let Some((_, _, resolved)) = self.known.iter().find(|(known, at, _)| known == placeholder && *at == place) {
            return Ok(resolved.clone());
        }
        let resolved = (self.resolve)(placeholder, place)?;
        self.uses.push(Use {
            secret: resolved.binding.secret.clone(),
            binding: resolved.binding.id.clone(),
            name: resolved.binding.name.clone(),
            version: resolved.version,
            connected: resolved.binding.connected,
            place,
        });
        self.known.push((placeholder.to_owned(), place, resolved.clone()));
        Ok(resolved)
    }
}

/// Refuses a text that holds a placeholder in a form that is not swapped.
pub(crate) fn refuse_disguised(text: &[u8]) -> Result<(), Refusal> {
    match disguised(text) {
        Some(_) => Err(Refusal::Disguised),
        None => Ok(()),
    }
}

fn grow(out: &mut Zeroizing<Vec<u8>>, needed: usize) {
    if out.capacity() < needed {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
        larger.extend_from_slice(out);
        *out = larger;
    }
}
