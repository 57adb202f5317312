//! A JSON text, written member by member: payloads are many, and a tree of values for each would cost more than the text.

/// An object or array that is being written.
pub struct Json {
    out: String,
}

/// An object whose members `fill` writes.
pub fn object(fill: impl FnOnce(&mut Json)) -> String {
    let mut json = Json { out: String::with_capacity(2048) };
    json.out.push('{');
    fill(&mut json);
    json.out.push('}');
    json.out
}

impl Json {
    fn comma(&mut self) {
        if !matches!(self.out.as_bytes().last(), Some(b'{' | b'[')) {
            self.out.push(',');
        }
    }

    fn key(&mut self, key: &str) {
        self.comma();
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    fn text(&mut self, value: &str) {
        self.out.push('"');
        if value.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
            for character in value.chars() {
                match character {
                    '"' => self.out.push_str("\\\""),
                    '\\' => self.out.push_str("\\\\"),
                    '\n' => self.out.push_str("\\n"),
                    control if control < ' ' => self.out.push_str(&format!("\\u{:04x}", control as u32)),
                    other => self.out.push(other),
                }
            }
        } else {
            self.out.push_str(value);
        }
        self.out.push('"');
    }

    pub fn str(&mut self, key: &str, value: &str) {
        self.key(key);
        self.text(value);
    }

    pub fn opt(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.str(key, value),
            None => self.null(key),
        }
    }

    pub fn num(&mut self, key: &str, value: i64) {
        self.key(key);
        self.out.push_str(&value.to_string());
    }

    pub fn bool(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.push_str(if value { "true" } else { "false" });
    }

    pub fn null(&mut self, key: &str) {
        self.key(key);
        self.out.push_str("null");
    }

    /// A member whose JSON text is at hand.
    pub fn raw(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.push_str(value);
    }

    /// Members whose JSON text is at hand, without the braces around them.
    pub fn members(&mut self, text: &str) {
        self.comma();
        self.out.push_str(text);
    }

    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut Json)) {
        self.key(key);
        self.out.push('{');
        fill(self);
        self.out.push('}');
    }

    pub fn array(&mut self, key: &str, fill: impl FnOnce(&mut Json)) {
        self.key(key);
        self.out.push('[');
        fill(self);
        self.out.push(']');
    }

    pub fn strings<S: AsRef<str>>(&mut self, key: &str, items: impl IntoIterator<Item = S>) {
        self.array(key, |json| {
            for item in items {
                json.comma();
                json.text(item.as_ref());
            }
        });
    }

    /// An element of an array that is an object.
    pub fn element(&mut self, fill: impl FnOnce(&mut Json)) {
        self.comma();
        self.out.push('{');
        fill(self);
        self.out.push('}');
    }

    /// An element of an array whose JSON text is at hand.
    pub fn raw_element(&mut self, value: &str) {
        self.comma();
        self.out.push_str(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json() {
        let text = object(|json| {
            json.str("a\u{e9}", "say \"hi\"\n\\ \u{1}");
            json.object("empty", |_| {});
            json.array("list", |json| {
                json.element(|json| json.num("n", -3));
                json.raw_element("true");
            });
            json.strings("words", ["x", "y"]);
            json.opt("none", None);
        });
        let value: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
        assert_eq!(value["a\u{e9}"], "say \"hi\"\n\\ \u{1}");
        assert_eq!(value["list"][0]["n"], -3);
        assert_eq!(value["words"][1], "y");
        assert!(value["none"].is_null());
    }
}
