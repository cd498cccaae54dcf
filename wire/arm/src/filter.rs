//! `$filter` (arm.md 1.6), the grammar all its forms share:
//!
//! ```text
//! or   := and ("or" and)*
//! and  := term ("and" term)*
//! term := "(" or ")" | field ("eq"|"ne"|"ge"|"le"|"gt"|"lt") literal | name "(" arguments ")"
//!       | field "/any(" x ":" x "eq" literal ")"
//! ```
//! What does not parse is an error, never "everything": az would take the first row as the answer.

/// Longest filter, in bytes.
const FILTER_MAX_BYTES: usize = 4096;
/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 8;

/// The filter cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadFilter;

/// A filter, read. Field and function names are folded to lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Compare {
        field: String,
        operator: String,
        value: String,
    },
    /// `startswith(tagName,'x')`, `atScope()`; names and literals alike, in order.
    Call {
        name: String,
        arguments: Vec<String>,
    },
    /// `servicePrincipalNames/any(c:c eq 'x')`.
    Any {
        field: String,
        value: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

impl Filter {
    /// # Errors
    /// [`BadFilter`].
    pub fn parse(text: &str) -> Result<Self, BadFilter> {
        if text.len() > FILTER_MAX_BYTES {
            return Err(BadFilter);
        }
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, depth: 0 };
        let filter = parser.or()?;
        if parser.tokens.is_empty() { Ok(filter) } else { Err(BadFilter) }
    }

    /// The terms that must all hold.
    pub fn terms(&self) -> &[Filter] {
        match self {
            Self::And(terms) => terms,
            one => std::slice::from_ref(one),
        }
    }

    /// `field eq 'value'`.
    pub fn as_equal(&self) -> Option<(&str, &str)> {
        match self {
            Self::Compare { field, operator, value } if operator == "eq" => Some((field, value)),
            _ => None,
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, BadFilter> {
    let mut all = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(&c) = rest.peek() {
        match c {
            ' ' => drop(rest.next()),
            '(' | ')' | ',' | ':' => all.extend(rest.next().map(Token::Sign)),
            '\'' => {
                rest.next();
                let mut literal = String::new();
                loop {
                    match rest.next().ok_or(BadFilter)? {
                        '\'' if rest.peek() == Some(&'\'') => literal.extend(rest.next()),
                        '\'' => break,
                        c => literal.push(c),
                    }
                }
                all.push(Token::Text(literal));
            }
            c if c.is_ascii_alphanumeric() || "_/.-$@".contains(c) => {
                let mut word = String::new();
                // A time holds colons and perhaps a zone with a plus; `c:c` does not begin with a digit.
                let is_time = c.is_ascii_digit();
                let fits = |c: &char| {
                    c.is_ascii_alphanumeric() || "_/.-$@".contains(*c) || is_time && ":+".contains(*c)
                };
                while let Some(c) = rest.next_if(fits) {
                    word.push(c);
                }
                all.push(Token::Word(word));
            }
            _ => return Err(BadFilter),
        }
    }
    Ok(all)
}

struct Parser<'t> {
    tokens: &'t [Token],
    depth: usize,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Filter, BadFilter> {
        let mut terms = vec![self.and()?];
        while self.takes_word("or") {
            terms.push(self.and()?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { Filter::Or(terms) })
    }

    fn and(&mut self) -> Result<Filter, BadFilter> {
        let mut terms = vec![self.term()?];
        while self.takes_word("and") {
            terms.push(self.term()?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { Filter::And(terms) })
    }

    fn term(&mut self) -> Result<Filter, BadFilter> {
        if self.takes('(') {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(BadFilter);
            }
            let inner = self.or()?;
            self.depth -= 1;
            return if self.takes(')') { Ok(inner) } else { Err(BadFilter) };
        }
        let name = self.word()?.to_ascii_lowercase();
        if self.takes('(') {
            return match name.strip_suffix("/any") {
                Some(field) => self.any(field.to_owned()),
                None => self.call(name),
            };
        }
        let operator = self.word()?.to_ascii_lowercase();
        if !["eq", "ne", "ge", "le", "gt", "lt"].contains(&operator.as_str()) {
            return Err(BadFilter);
        }
        let value = self.literal()?;
        Ok(Filter::Compare { field: name, operator, value })
    }

    fn any(&mut self, field: String) -> Result<Filter, BadFilter> {
        let variable = self.word()?;
        let same = self.takes(':') && self.word()? == variable && self.takes_word("eq");
        let value = self.literal()?;
        if same && self.takes(')') { Ok(Filter::Any { field, value }) } else { Err(BadFilter) }
    }

    fn call(&mut self, name: String) -> Result<Filter, BadFilter> {
        let mut arguments = Vec::new();
        if self.takes(')') {
            return Ok(Filter::Call { name, arguments });
        }
        loop {
            arguments.push(self.literal()?);
            if self.takes(')') {
                return Ok(Filter::Call { name, arguments });
            }
            if !self.takes(',') {
                return Err(BadFilter);
            }
        }
    }

    fn next(&mut self) -> Option<&Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn word(&mut self) -> Result<String, BadFilter> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word.clone()),
            _ => Err(BadFilter),
        }
    }

    fn literal(&mut self) -> Result<String, BadFilter> {
        match self.next() {
            Some(Token::Word(word) | Token::Text(word)) => Ok(word.clone()),
            _ => Err(BadFilter),
        }
    }

    fn takes(&mut self, sign: char) -> bool {
        let there = self.tokens.first() == Some(&Token::Sign(sign));
        if there {
            self.next();
        }
        there
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let there = matches!(self.tokens.first(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        if there {
            self.next();
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eq(field: &str, value: &str) -> Filter {
        Filter::Compare { field: field.to_owned(), operator: "eq".to_owned(), value: value.to_owned() }
    }

    #[test]
    fn forms_clients_send() {
        let read = |text: &str| Filter::parse(text).unwrap();
        assert_eq!(
            read("resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'o''brien'").terms(),
            [eq("resourcetype", "Microsoft.KeyVault/vaults"), eq("name", "o'brien")]
        );
        let call = Filter::Call { name: "assignedto".to_owned(), arguments: vec!["x".to_owned()] };
        assert_eq!(read("atScope() and assignedTo('x')").terms()[1], call);
        assert_eq!(
            read("servicePrincipalNames/any(c:c eq 'x')"),
            Filter::Any { field: "serviceprincipalnames".to_owned(), value: "x".to_owned() }
        );
        assert!(matches!(read("(a eq 'x' or b eq 'y') and c eq 'z'"), Filter::And(_)));
        let since = read("eventTimestamp ge 2026-11-23T22:01:31.949960 and x eq 'y'");
        assert!(
            matches!(&since.terms()[0], Filter::Compare { value, .. } if value == "2026-11-23T22:01:31.949960")
        );
    }

    #[test]
    fn what_does_not_parse_is_an_error() {
        let deep = format!("{}a eq 'x'{}", "(".repeat(2000), ")".repeat(2000));
        for bad in [
            "",
            "a",
            "a eq",
            "a eq 'x",
            "a eq 'x' and",
            "a is 'x'",
            "a eq 'x' b",
            "f(",
            "any(c:d eq 'x')",
            "a eq 'x')",
            deep.as_str(),
        ] {
            assert_eq!(Filter::parse(bad), Err(BadFilter), "{bad}");
        }
    }
}
