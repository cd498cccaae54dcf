//! From tokens to a query.

use serde_json::Value;

use super::{
    BadQuery, Column, DEPTH_MAX, Expression, Function, Operator, Part, Query, Step, Table, Test, token::Token,
};

/// Rows a query can be limited to; the surface has a bound of its own.
const LIMIT_MAX: f64 = 1_000_000.0;

pub(super) fn query(tokens: &[Token]) -> Result<Query, BadQuery> {
    let mut parser = Parser { tokens, depth: 0 };
    let table = match parser.word().map_err(|_| BadQuery("a query begins with a table".to_owned()))?.as_str()
    {
        name if name.eq_ignore_ascii_case("Resources") => Table::Resources,
        name if name.eq_ignore_ascii_case("ResourceContainers") => Table::Containers,
        other => {
            let why =
                format!("the table '{other}' is not served: there are Resources and ResourceContainers");
            return Err(BadQuery(why));
        }
    };
    let mut steps = Vec::new();
    while !parser.tokens.is_empty() {
        parser.sign("|")?;
        steps.push(parser.step()?);
    }
    Ok(Query { table, steps })
}

struct Parser<'t> {
    tokens: &'t [Token],
    depth: usize,
}

impl<'t> Parser<'t> {
    fn step(&mut self) -> Result<Step, BadQuery> {
        let name = self.word()?;
        match name.to_ascii_lowercase().as_str() {
            "where" | "filter" => Ok(Step::Where(self.any()?)),
            "project" => Ok(Step::Project(self.columns()?)),
            "extend" => Ok(Step::Extend(self.columns()?)),
            "project-away" => Ok(Step::ProjectAway(self.list(Self::word)?)),
            "distinct" => Ok(Step::Distinct(self.columns()?)),
            "order" | "sort" => {
                self.takes_word("by");
                Ok(Step::Order(self.list(Self::direction)?))
            }
            "limit" | "take" => match self.next()? {
                Token::Number(n) if n.fract() == 0.0 && (0.0..=LIMIT_MAX).contains(n) => {
                    Ok(Step::Limit(*n as usize))
                }
                _ => Err(BadQuery("limit takes a number".to_owned())),
            },
            "count" => Ok(Step::Summarize("Count".to_owned(), Vec::new())),
            "summarize" => self.summarize(),
            _ => Err(BadQuery(format!("the operator '{name}' is not served"))),
        }
    }

    /// `[name =] count() [by …]`.
    fn summarize(&mut self) -> Result<Step, BadQuery> {
        let mut name = self.word()?;
        let mut called = "count_".to_owned();
        if self.takes("=") {
            called = std::mem::replace(&mut name, self.word()?);
        }
        if !name.eq_ignore_ascii_case("count") {
            return Err(BadQuery(format!("the aggregate '{name}' is not served")));
        }
        self.sign("(")?;
        self.sign(")")?;
        let by = if self.takes_word("by") { self.columns()? } else { Vec::new() };
        Ok(Step::Summarize(called, by))
    }

    fn direction(&mut self) -> Result<(Expression, bool), BadQuery> {
        let value = self.value()?;
        if self.takes_word("asc") {
            return Ok((value, true));
        }
        // The language's default is the larger first.
        self.takes_word("desc");
        Ok((value, false))
    }

    fn columns(&mut self) -> Result<Vec<Column>, BadQuery> {
        self.list(Self::column)
    }

    fn column(&mut self) -> Result<Column, BadQuery> {
        if let [Token::Word(name), Token::Sign("="), rest @ ..] = self.tokens {
            self.tokens = rest;
            return Ok(Column { name: name.clone(), value: self.value()? });
        }
        let value = self.value()?;
        Ok(Column { name: name_of(&value), value })
    }

    fn list<T>(&mut self, one: fn(&mut Self) -> Result<T, BadQuery>) -> Result<Vec<T>, BadQuery> {
        let mut all = vec![one(self)?];
        while self.takes(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn any(&mut self) -> Result<Test, BadQuery> {
        let mut terms = vec![self.all()?];
        while self.takes_word("or") {
            terms.push(self.all()?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { Test::Any(terms) })
    }

    fn all(&mut self) -> Result<Test, BadQuery> {
        let mut terms = vec![self.term()?];
        while self.takes_word("and") {
            terms.push(self.term()?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { Test::All(terms) })
    }

    fn term(&mut self) -> Result<Test, BadQuery> {
        if self.takes("(") {
            return self.nested();
        }
        if let [Token::Word(name), Token::Sign("("), rest @ ..] = self.tokens {
            let test: Option<fn(Expression) -> Test> = match name.to_ascii_lowercase().as_str() {
                "not" => {
                    self.tokens = rest;
                    return Ok(Test::Not(Box::new(self.nested()?)));
                }
                "isempty" => Some(Test::Empty),
                "isnotempty" => Some(|e| Test::Not(Box::new(Test::Empty(e)))),
                "isnull" => Some(Test::Null),
                "isnotnull" => Some(|e| Test::Not(Box::new(Test::Null(e)))),
                _ => None,
            };
            if let Some(test) = test {
                self.tokens = rest;
                let value = self.value()?;
                self.sign(")")?;
                return Ok(test(value));
            }
        }
        self.comparison()
    }

    /// What stands behind an open parenthesis.
    fn nested(&mut self) -> Result<Test, BadQuery> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(BadQuery(format!("parentheses may be {DEPTH_MAX} deep")));
        }
        let test = self.any()?;
        self.sign(")")?;
        self.depth -= 1;
        Ok(test)
    }

    fn comparison(&mut self) -> Result<Test, BadQuery> {
        let value = self.value()?;
        let mut negated = self.takes("!");
        if self.takes("in~") {
            let test = Test::In { value, of: self.literals()?, folded: true };
            return Ok(unless(negated, test));
        }
        let operator = match self.next()? {
            Token::Sign("==") => Operator::Equal,
            Token::Sign("=~") => Operator::EqualFolded,
            Token::Sign("<") => Operator::Less,
            Token::Sign("<=") => Operator::LessOrEqual,
            Token::Sign(">") => Operator::Greater,
            Token::Sign(">=") => Operator::GreaterOrEqual,
            Token::Sign("!=") => {
                negated = true;
                Operator::Equal
            }
            Token::Sign("!~") => {
                negated = true;
                Operator::EqualFolded
            }
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "in" => {
                    let test = Test::In { value, of: self.literals()?, folded: false };
                    return Ok(unless(negated, test));
                }
                "contains" => Operator::Contains,
                "has" => Operator::Has,
                "startswith" => Operator::StartsWith,
                "endswith" => Operator::EndsWith,
                _ => return Err(BadQuery(format!("the comparison '{word}' is not served"))),
            },
            other => return Err(BadQuery(format!("{} is no comparison", shown(other)))),
        };
        let other = self.value()?;
        Ok(unless(negated, Test::Compare(value, operator, other)))
    }

    fn literals(&mut self) -> Result<Vec<Value>, BadQuery> {
        self.sign("(")?;
        let all = self.list(|parser| match parser.value()? {
            Expression::Literal(value) => Ok(value),
            _ => Err(BadQuery("'in' takes literals".to_owned())),
        })?;
        self.sign(")")?;
        Ok(all)
    }

    fn value(&mut self) -> Result<Expression, BadQuery> {
        match self.next()? {
            Token::Text(text) => Ok(Expression::Literal(Value::from(text.as_str()))),
            Token::Number(n) if n.fract() == 0.0 => Ok(Expression::Literal(Value::from(*n as i64))),
            Token::Number(n) => Ok(Expression::Literal(Value::from(*n))),
            Token::Word(word) if self.takes("(") => {
                let function = match word.to_ascii_lowercase().as_str() {
                    "tostring" => Function::ToString,
                    "tolower" => Function::ToLower,
                    "toupper" => Function::ToUpper,
                    _ => return Err(BadQuery(format!("the function '{word}' is not served"))),
                };
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err(BadQuery(format!("parentheses may be {DEPTH_MAX} deep")));
                }
                let inner = self.value()?;
                self.sign(")")?;
                self.depth -= 1;
                Ok(Expression::Function(function, Box::new(inner)))
            }
            Token::Word(word) if word == "true" => Ok(Expression::Literal(Value::Bool(true))),
            Token::Word(word) if word == "false" => Ok(Expression::Literal(Value::Bool(false))),
            Token::Word(word) => self.path(word.clone()),
            other => Err(BadQuery(format!("{} is no value", shown(other)))),
        }
    }

    fn path(&mut self, first: String) -> Result<Expression, BadQuery> {
        let mut parts = vec![Part::Name(first)];
        loop {
            if self.takes(".") {
                parts.push(Part::Name(self.word()?));
            } else if self.takes("[") {
                parts.push(match self.next()? {
                    Token::Text(name) => Part::Name(name.clone()),
                    Token::Number(n) if n.fract() == 0.0 => Part::At(*n as usize),
                    other => return Err(BadQuery(format!("{} is no place in a value", shown(other)))),
                });
                self.sign("]")?;
            } else {
                return Ok(Expression::Path(parts));
            }
        }
    }

    fn next(&mut self) -> Result<&'t Token, BadQuery> {
        let (first, rest) = self
            .tokens
            .split_first()
            .ok_or_else(|| BadQuery("the query comes to its end too early".to_owned()))?;
        self.tokens = rest;
        Ok(first)
    }

    fn word(&mut self) -> Result<String, BadQuery> {
        match self.next()? {
            Token::Word(word) => Ok(word.clone()),
            other => Err(BadQuery(format!("{} stands where a name should", shown(other)))),
        }
    }

    fn sign(&mut self, sign: &str) -> Result<(), BadQuery> {
        match self.next()? {
            Token::Sign(found) if *found == sign => Ok(()),
            other => Err(BadQuery(format!("{} stands where '{sign}' should", shown(other)))),
        }
    }

    fn takes(&mut self, sign: &str) -> bool {
        let there = matches!(self.tokens.first(), Some(Token::Sign(found)) if *found == sign);
        if there {
            self.tokens = &self.tokens[1..];
        }
        there
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let there =
            matches!(self.tokens.first(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        if there {
            self.tokens = &self.tokens[1..];
        }
        there
    }
}

fn unless(negated: bool, test: Test) -> Test {
    if negated { Test::Not(Box::new(test)) } else { test }
}

/// What a column is called that has no name of its own: its path with the dots taken for lines.
fn name_of(value: &Expression) -> String {
    match value {
        Expression::Path(parts) => {
            let names: Vec<String> = parts
                .iter()
                .map(|part| match part {
                    Part::Name(name) => name.clone(),
                    Part::At(n) => n.to_string(),
                })
                .collect();
            names.join("_")
        }
        Expression::Function(_, inner) => name_of(inner),
        Expression::Literal(_) => "Column1".to_owned(),
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Text(text) => format!("'{}'", text.chars().take(60).collect::<String>()),
        Token::Number(n) => n.to_string(),
        Token::Sign(sign) => format!("'{sign}'"),
    }
}
