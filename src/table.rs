//! Answers as text in columns, or as CSV.

use serde_json::{Map, Value};

/// Rows under headings.
pub struct Columns {
    headings: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Columns {
    /// The points of a metric's answer, one a row.
    pub fn of_answer(answer: &Value) -> Columns {
        let mut rows = Vec::new();
        for series in answer["series"].as_array().into_iter().flatten() {
            for point in series["points"].as_array().into_iter().flatten() {
                let mut row = Map::new();
                row.extend(series["labels"].as_object().cloned().unwrap_or_default());
                for name in ["start", "end", "value", "n", "numerator", "denominator"] {
                    row.insert(name.into(), point[name].clone());
                }
                row.extend(point["quantiles"].as_object().cloned().unwrap_or_default());
                row.insert("ci_lo".into(), point["ci"]["lo"].clone());
                row.insert("ci_hi".into(), point["ci"]["hi"].clone());
                row.insert("status".into(), point["status"].clone());
                row.insert("coverage".into(), point["coverage"].clone());
                row.insert("excluded".into(), point["excluded"].clone());
                rows.push(Value::Object(row));
            }
        }
        Columns::of_rows(&Value::Array(rows))
    }

    /// A list of objects; the headings are the names in the order in which they first come.
    pub fn of_rows(rows: &Value) -> Columns {
        let rows: Vec<&Map<String, Value>> = rows.as_array().into_iter().flatten().filter_map(Value::as_object).collect();
        let mut headings: Vec<String> = Vec::new();
        for name in rows.iter().flat_map(|row| row.keys()) {
            if !headings.contains(name) {
                headings.push(name.clone());
            }
        }
        let rows = rows.iter().map(|row| headings.iter().map(|name| row.get(name).cloned().unwrap_or_default()).collect()).collect();
        Columns { headings, rows }
    }

    pub fn text(&self) -> String {
        let cells: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
        let width = |i: usize| cells.iter().map(|row| row[i].chars().count()).chain([self.headings[i].chars().count()]).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut lines = vec![line(&self.headings), widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("  ")];
        lines.extend(cells.iter().map(|row| line(row)));
        if cells.is_empty() {
            lines = vec!["no rows".to_owned()];
        }
        lines.join("\n")
    }

    pub fn csv(&self) -> String {
        let quoted = |text: String| if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text };
        let cell = |value: &Value| match value {
            Value::Null => String::new(),
            // What a spreadsheet would run is made text.
            Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\0']) => quoted(format!("'{text}")),
            Value::String(text) => quoted(text.clone()),
            other => quoted(other.to_string()),
        };
        let mut lines = vec![self.headings.iter().cloned().map(quoted).collect::<Vec<_>>().join(",")];
        lines.extend(self.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(",")));
        lines.join("\n")
    }
}

/// A cell for the terminal: nothing for null, no control characters from outside.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(object) if object.is_empty() => String::new(),
        other => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_runs_in_a_spreadsheet_or_a_terminal() {
        let rows = serde_json::json!([{"a": "=1+1", "b": -2.5, "c": "x\u{1b}[2J"}, {"a": null, "b": 1, "c": "a,\"b\""}]);
        let columns = Columns::of_rows(&rows);
        assert_eq!(columns.csv(), "a,b,c\n'=1+1,-2.5,x\u{1b}[2J\n,1,\"a,\"\"b\"\"\"");
        assert!(!columns.text().contains('\u{1b}'));
    }
}
