//! NDJSON, one object after the other, or a list of them.

use super::{ImportError, Rows};
use serde_json::{Deserializer, Value};

pub(super) fn read(rows: &mut Rows<'_>) -> Result<(), ImportError> {
    let bytes = rows.bytes()?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut place = Place { text, at: 0, line: 1 };
    let mut in_list = false;
    loop {
        place.skip_space();
        match text.get(place.at) {
            None if in_list => return Err(place.error(rows, "the list does not end")),
            None => return Ok(()),
            Some(b'[') if !in_list => {
                in_list = true;
                place.at += 1;
                place.skip_space();
                if text.get(place.at) == Some(&b']') {
                    in_list = false;
                    place.at += 1;
                }
                continue;
            }
            Some(_) => {}
        }
        let line = place.line;
        let row = place.value(rows)?;
        rows.push(line, &row)?;
        if in_list {
            place.skip_space();
            match text.get(place.at) {
                Some(b',') => {}
                Some(b']') => in_list = false,
                _ => return Err(place.error(rows, "expected `,` or `]`")),
            }
            place.at += 1;
        }
    }
}

/// How far the text has been read.
struct Place<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Place<'_> {
    fn move_to(&mut self, at: usize) {
        self.line += self.text[self.at..at].iter().filter(|byte| **byte == b'\n').count();
        self.at = at;
    }

    fn skip_space(&mut self) {
        let space = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.move_to(self.at + space);
    }

    fn value(&mut self, rows: &Rows<'_>) -> Result<Value, ImportError> {
        let mut values = Deserializer::from_slice(&self.text[self.at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                let end = self.at + values.byte_offset();
                self.move_to(end);
                Ok(value)
            }
            Some(Err(error)) => {
                let reason = error.to_string();
                let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
                let before = if error.line() == 1 { self.column() } else { 0 };
                let (line, column) = (self.line + error.line() - 1, before + error.column());
                Err(ImportError::Syntax { path: rows.path.to_owned(), line, column, reason })
            }
            None => Err(self.error(rows, "expected a row")),
        }
    }

    /// Bytes of the present line before this place.
    fn column(&self) -> usize {
        self.text[..self.at].iter().rev().take_while(|byte| **byte != b'\n').count()
    }

    fn error(&self, rows: &Rows<'_>, reason: &str) -> ImportError {
        ImportError::Syntax { path: rows.path.to_owned(), line: self.line, column: self.column() + 1, reason: reason.to_owned() }
    }
}
