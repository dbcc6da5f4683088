//! A text in which parts were replaced, and the way back from each of its bytes to the text as the
//! user wrote it.
//!
//! Pure. Parts that were replaced map to the whole of what stood there before; the map is monotone.

use std::ops::Range;

/// A part of the new text.
#[derive(Debug, Clone)]
struct Segment {
    /// Where it begins in the new text; it ends where the next begins.
    start: usize,
    /// What stood there.
    origin: Range<usize>,
    /// It is the same text, byte for byte.
    is_verbatim: bool,
    /// A secret stands in it.
    is_secret: bool,
}

/// What replaces a part of a text.
#[derive(Debug, Clone)]
pub(crate) struct Replacement {
    /// The part, in the current text.
    pub(crate) range: Range<usize>,
    /// The new text.
    pub(crate) text: String,
    /// It is secret.
    pub(crate) is_secret: bool,
}

/// A text with its replacements.
#[derive(Debug, Clone)]
pub(crate) struct Replaced {
    text: String,
    length: usize,
    segments: Vec<Segment>,
}

impl Replaced {
    /// Starts with the text as it was written.
    pub(crate) fn new(text: &str) -> Self {
        let whole = Segment { start: 0, origin: 0..text.len(), is_verbatim: true, is_secret: false };
        Self { text: text.to_owned(), length: text.len(), segments: vec![whole] }
    }

    /// Gives the text as it is now.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Replaces parts; they come in order, do not overlap, and none is empty.
    pub(crate) fn replace(&mut self, replacements: &[Replacement]) {
        if replacements.is_empty() {
            return;
        }
        let mut text = String::with_capacity(self.text.len());
        let mut segments = Vec::with_capacity(self.segments.len() + 2 * replacements.len());
        let mut from = 0;
        for replacement in replacements {
            self.copy(from..replacement.range.start, &mut text, &mut segments);
            if !replacement.text.is_empty() {
                segments.push(Segment {
                    start: text.len(),
                    origin: self.origin(&replacement.range),
                    is_verbatim: false,
                    is_secret: replacement.is_secret || self.is_secret(&replacement.range),
                });
                text += &replacement.text;
            }
            from = replacement.range.end;
        }
        self.copy(from..self.text.len(), &mut text, &mut segments);
        (self.text, self.segments) = (text, segments);
    }

    fn copy(&self, range: Range<usize>, text: &mut String, segments: &mut Vec<Segment>) {
        for (segment, part) in self.overlapping(&range) {
            let mut copied = Segment { start: text.len() + (part.start - range.start), ..segment.clone() };
            if segment.is_verbatim {
                let start = segment.origin.start + (part.start - segment.start);
                copied.origin = start..start + part.len();
            }
            segments.push(copied);
        }
        text.push_str(&self.text[range]);
    }

    /// Goes through the segments that share bytes with a range, with the shared part.
    fn overlapping<'a>(&'a self, range: &'a Range<usize>) -> impl Iterator<Item = (&'a Segment, Range<usize>)> {
        let first = self.segments.partition_point(|segment| segment.start <= range.start).saturating_sub(1);
        self.segments[first..].iter().enumerate().map_while(move |(at, segment)| {
            let end = self.segments.get(first + at + 1).map_or(self.text.len(), |next| next.start);
            let part = segment.start.max(range.start)..end.min(range.end);
            (segment.start < range.end && !part.is_empty()).then_some((segment, part))
        })
    }

    /// Gives what stood in a range, as the user wrote it.
    pub(crate) fn origin(&self, range: &Range<usize>) -> Range<usize> {
        let start = match self.segment(range.start) {
            Some(segment) if segment.is_verbatim => segment.origin.start + (range.start - segment.start),
            Some(segment) => segment.origin.start,
            None => self.length,
        };
        let last = range.end.checked_sub(1).filter(|last| *last >= range.start);
        let end = match last.map(|last| (last, self.segment(last))) {
            Some((last, Some(segment))) if segment.is_verbatim => segment.origin.start + (last - segment.start) + 1,
            Some((_, Some(segment))) => segment.origin.end,
            Some((_, None)) => self.length,
            None => start,
        };
        start..end.max(start)
    }

    /// Gives what the user wrote in exactly this range; nothing where it begins or ends within a part that was
    /// replaced.
    pub(crate) fn exact(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let before = range.end.checked_sub(1).and_then(|last| self.segment(last));
        let end = match before {
            None => 0,
            Some(segment) if segment.is_verbatim => segment.origin.start + (range.end - segment.start),
            Some(segment) => {
                let next = self.segment(range.end).map_or(self.text.len(), |next| next.start);
                (next == range.end).then_some(segment.origin.end)?
            }
        };
        if range.is_empty() {
            return Some(end..end);
        }
        let first = self.segment(range.start)?;
        let start = match first {
            segment if segment.is_verbatim => segment.origin.start + (range.start - segment.start),
            segment => (segment.start == range.start).then_some(segment.origin.start)?,
        };
        Some(start..end)
    }

    fn segment(&self, offset: usize) -> Option<&Segment> {
        if offset >= self.text.len() {
            return None;
        }
        let at = self.segments.partition_point(|segment| segment.start <= offset);
        at.checked_sub(1).map(|at| &self.segments[at])
    }

    /// Tells whether a secret stands in a range.
    pub(crate) fn is_secret(&self, range: &Range<usize>) -> bool {
        self.overlapping(range).any(|(segment, _)| segment.is_secret)
    }

    /// Gives the ranges of the text in which secrets stand.
    pub(crate) fn secrets(&self) -> Vec<Range<usize>> {
        let whole = 0..self.text.len();
        self.overlapping(&whole).filter(|(segment, _)| segment.is_secret).map(|(_, part)| part).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::{Replaced, Replacement};

    fn replacement(range: std::ops::Range<usize>, text: &str, is_secret: bool) -> Replacement {
        Replacement { range, text: text.to_owned(), is_secret }
    }

    #[test]
    fn places_lead_back_to_what_stood_there() {
        let mut text = Replaced::new("a: ##X##, b");
        text.replace(&[replacement(3..8, "value", true)]);
        assert_eq!(text.text(), "a: value, b");
        assert_eq!(text.origin(&(3..8)), 3..8);
        assert_eq!(text.origin(&(5..6)), 3..8);
        assert_eq!(text.origin(&(10..11)), 10..11);
        assert!(text.is_secret(&(2..4)) && !text.is_secret(&(8..9)));
        text.replace(&[replacement(0..1, "long key", false), replacement(5..6, "", false)]);
        assert_eq!(text.text(), "long key: vaue, b");
        assert_eq!(text.origin(&(0..2)), 0..1);
        assert_eq!(text.origin(&(16..17)), 10..11);
        assert_eq!(text.secrets(), [10..12, 12..14]);
    }

    #[test]
    fn the_end_of_the_text_leads_to_its_end() {
        let mut text = Replaced::new("");
        assert_eq!(text.origin(&(0..0)), 0..0);
        text = Replaced::new("ab");
        text.replace(&[replacement(0..2, "", false)]);
        assert_eq!(text.origin(&(0..0)), 2..2);
    }

    proptest! {
        #[test]
        fn the_way_back_is_monotone(
            length in 0_usize..60,
            passes in prop::collection::vec(prop::collection::vec((0_usize..70, 1_usize..9, 0_usize..9), 0..6), 0..4),
        ) {
            let mut text = Replaced::new(&"x".repeat(length));
            for pass in passes {
                let mut from = 0;
                let mut replacements = Vec::new();
                for (skip, taken, put) in pass {
                    let start = from + skip % 10;
                    let end = start + taken;
                    if end > text.text().len() {
                        break;
                    }
                    replacements.push(replacement(start..end, &"y".repeat(put), false));
                    from = end;
                }
                text.replace(&replacements);
            }
            let places: Vec<_> = (0..text.text().len()).map(|at| text.origin(&(at..at + 1))).collect();
            assert!(places.windows(2).all(|pair| pair[0].start <= pair[1].start && pair[0].end <= pair[1].end));
            assert!(places.iter().all(|place| place.end <= length));
        }
    }
}
