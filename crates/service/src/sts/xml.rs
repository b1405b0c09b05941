//! Answers as XML.

/// The namespace of all answers.
pub const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// XML that is being written: elements inside one another, and texts.
#[derive(Debug, Default)]
pub struct Xml(String);

impl Xml {
    /// An element that holds what `write` writes.
    pub fn within(&mut self, name: &str, write: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.extend(["<", name, ">"]);
        write(self);
        self.0.extend(["</", name, ">"]);
        self
    }

    /// An element that holds a text.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.within(name, |xml| xml.0.push_str(&escape(value)))
    }

    /// An element with the namespace, that holds what `write` writes.
    pub fn document(name: &str, write: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self(format!("<{name} xmlns=\"{NAMESPACE}\">"));
        write(&mut xml);
        xml.0.extend(["</", name, ">\n"]);
        xml.0
    }
}

/// What XML 1.0 cannot have is replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' | '\n' => escaped.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let xml = Xml::document("A", |xml| {
            xml.within("B", |xml| {
                xml.text("C", "<&>\"\u{0}\u{e4}\r");
            });
        });
        let expected = "<B><C>&lt;&amp;&gt;&quot;\u{fffd}\u{e4}&#13;</C></B></A>\n";
        assert_eq!(xml, format!("<A xmlns=\"{NAMESPACE}\">{expected}"));
    }
}
