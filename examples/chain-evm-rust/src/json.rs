//! A strict RFC 8259 reader. It refuses repeated members, because two readers may take different ones of them, and
//! whatever goes beyond the bounds below.

use crate::hex;

const DEPTH_MAX: usize = 16;
/// A receipt of a batch holds a few hundred logs of some ten values.
const VALUES_MAX: usize = 10_000;
const MEMBERS_MAX: usize = 64;

/// One value of a document. Of a number nobody here needs the digits.
#[derive(Debug, PartialEq, Eq)]
pub enum Value {
    Absent,
    Null,
    Bool(bool),
    Number,
    Text(String),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// A member, or Absent, so that lookups may be chained and tested once.
    pub fn member(&self, name: &str) -> &Value {
        match self {
            Value::Object(members) => members.iter().find(|(n, _)| n == name).map_or(&Value::Absent, |(_, v)| v),
            _ => &Value::Absent,
        }
    }

    /// A string's text and "" for everything else.
    pub fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// What an array or an object holds.
    pub fn children(&self) -> Vec<&Value> {
        match self {
            Value::Array(elements) => elements.iter().collect(),
            Value::Object(members) => members.iter().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        }
    }
}

/// Reads one document.
pub fn parse(document: &[u8]) -> Option<Value> {
    let mut reader = Reader { rest: std::str::from_utf8(document).ok()?, values: 0 };
    let value = reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    values: usize,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.skip(|c| matches!(c, b' ' | b'\n' | b'\t' | b'\r'));
    }

    /// Skips ASCII characters and says how many.
    fn skip(&mut self, skipped: fn(u8) -> bool) -> usize {
        let count = self.rest.bytes().take_while(|&c| skipped(c)).count();
        self.rest = &self.rest[count..];
        count
    }

    /// Consumes a text when it is the next.
    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn character(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.space();
        self.values += 1;
        if self.values > VALUES_MAX || depth > DEPTH_MAX {
            return None;
        }
        match self.rest.bytes().next()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Value::Text),
            b'n' => self.take("null").then_some(Value::Null),
            b't' => self.take("true").then_some(Value::Bool(true)),
            b'f' => self.take("false").then_some(Value::Bool(false)),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        let mut members: Vec<(String, Value)> = Vec::new();
        self.take("{");
        self.space();
        if self.take("}") {
            return Some(Value::Object(members));
        }
        loop {
            self.space();
            if members.len() == MEMBERS_MAX || !self.rest.starts_with('"') {
                return None;
            }
            let name = self.string()?;
            self.space();
            if members.iter().any(|(n, _)| *n == name) || !self.take(":") {
                return None;
            }
            members.push((name, self.value(depth + 1)?));
            self.space();
            if self.take("}") {
                return Some(Value::Object(members));
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        let mut elements = Vec::new();
        self.take("[");
        self.space();
        if self.take("]") {
            return Some(Value::Array(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.space();
            if self.take("]") {
                return Some(Value::Array(elements));
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    /// Checks the grammar -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
    fn number(&mut self) -> Option<Value> {
        self.take("-");
        if !self.take("0") && !self.digits() || self.take(".") && !self.digits() {
            return None;
        }
        if self.take("e") || self.take("E") {
            if !self.take("+") {
                self.take("-");
            }
            if !self.digits() {
                return None;
            }
        }
        Some(Value::Number)
    }

    fn digits(&mut self) -> bool {
        self.skip(|c| c.is_ascii_digit()) > 0
    }

    fn string(&mut self) -> Option<String> {
        self.take("\"");
        let mut text = String::new();
        loop {
            // What needs no second look is most of a string.
            let plain = self.rest.bytes().take_while(|&c| c != b'"' && c != b'\\' && c >= 0x20).count();
            let (before, rest) = self.rest.split_at(plain);
            text.push_str(before);
            self.rest = rest;
            match self.character()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.character()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let high = self.unit()?;
                if let Some(c) = char::from_u32(high) {
                    return Some(c);
                }
                if !self.take("\\u") || high >= 0xdc00 {
                    return None;
                }
                let low = self.unit()?;
                if !(0xdc00..0xe000).contains(&low) {
                    return None;
                }
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let mut raw = [0; 2];
        if !hex::decode_into(&mut raw, self.rest.as_bytes().get(..4)?) {
            return None;
        }
        self.rest = &self.rest[4..];
        Some(u32::from(raw[0]) << 8 | u32::from(raw[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_two_readers_could_read_differently_is_refused() {
        let deep = ["[".repeat(40), "]".repeat(40)].concat();
        let many = ["[", &"0,".repeat(60_000), "0]"].concat();
        let wide = ["{", &"\"x\":0,".repeat(100), "\"y\":0}"].concat();
        let refused: &[&str] = &[
            "",
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            "{}x",
            "{} {}",
            "[1,]",
            "[,1]",
            "{'a':1}",
            "\"a\nb\"",
            r#""\ud800""#,
            r#""\ud800x""#,
            r#""\ud800\u0041""#,
            r#""\udc00\ud800""#,
            r#""\x41""#,
            r#""\u12""#,
            "\"a",
            "{\"a\":1",
            "[1",
            "01",
            "1.",
            "1e",
            "+1",
            "-",
            "0x1",
            "NaN",
            "nul",
            r#"{"a" 1}"#,
            r#"{"a":}"#,
            "\u{feff}{}",
            "\"\\",
            &deep,
            &many,
            &wide,
        ];
        for document in refused {
            assert_eq!(parse(document.as_bytes()), None, "{}", document);
        }
        assert_eq!(parse(b"\"\xff\""), None);
    }

    #[test]
    fn plain_json_is_read() {
        let document =
            r#" {"s":"a\"\\\/\b\f\n\r\t\u0041\ud83d\ude00ü", "n":-0.5e+10, "a":[true,false,null,{}], "o":{}} "#;
        let value = parse(document.as_bytes()).expect("plain JSON");
        assert_eq!(value.member("s").text(), "a\"\\/\u{8}\u{c}\n\r\tA\u{1f600}ü");
        assert_eq!(value.member("n"), &Value::Number);
        assert_eq!(value.member("a").children().len(), 4);
        assert_eq!(value.member("none").member("deeper").text(), "");
    }
}
