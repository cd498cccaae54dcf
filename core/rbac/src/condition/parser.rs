//! Tokens to tree, by recursive descent; AND binds tighter than OR.

use super::{
    BadCondition, CONDITION_MAX_DEPTH,
    attributes::{Name, Value},
    lexer::{Token, tokens},
    operator::{Cross, Operator},
    text::unescaped,
    tree::{Attribute, Compare, Expr, Operand},
};
use crate::Pattern;

pub(super) fn parse(text: &str) -> Result<Expr, BadCondition> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, end: text.len() };
    let root = parser.or_expr(0)?;
    match parser.peek() {
        None => Ok(root),
        Some(_) => Err(parser.expected("the end of the condition")),
    }
}

struct Parser<'a> {
    tokens: Vec<(usize, Token<'a>)>,
    at: usize,
    end: usize,
}

/// A side of a comparison before the operator is known: strings still have their escapes.
enum RawOperand {
    Attribute(Attribute),
    Set(Vec<RawLiteral>),
    One(RawLiteral),
}

enum RawLiteral {
    Quoted(String),
    Plain(Value),
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.at)?.1.clone();
        self.at += 1;
        Some(token)
    }

    fn take(&mut self, wanted: &Token<'_>) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// Fails at the next token.
    fn expected(&self, expected: &'static str) -> BadCondition {
        let at = self.tokens.get(self.at).map_or(self.end, |(at, _)| *at);
        BadCondition::Unexpected { at, expected }
    }

    fn or_expr(&mut self, depth: usize) -> Result<Expr, BadCondition> {
        let mut parts = vec![self.and_expr(depth)?];
        while self.take(&Token::Or) {
            parts.push(self.and_expr(depth)?);
        }
        Ok(one_or(parts, Expr::Or))
    }

    fn and_expr(&mut self, depth: usize) -> Result<Expr, BadCondition> {
        let mut parts = vec![self.unary(depth)?];
        while self.take(&Token::And) {
            parts.push(self.unary(depth)?);
        }
        Ok(one_or(parts, Expr::And))
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, BadCondition> {
        if depth > CONDITION_MAX_DEPTH {
            return Err(BadCondition::TooDeep);
        }
        if self.take(&Token::Not) {
            return Ok(Expr::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take(&Token::Open) {
            let inner = self.or_expr(depth + 1)?;
            return if self.take(&Token::Close) { Ok(inner) } else { Err(self.expected("')'")) };
        }
        self.function_or_comparison()
    }

    fn function_or_comparison(&mut self) -> Result<Expr, BadCondition> {
        let Some(Token::Word(word)) = self.peek() else { return self.comparison() };
        let word = word.to_ascii_lowercase();
        if !matches!(word.as_str(), "actionmatches" | "suboperationmatches" | "exists" | "notexists") {
            return self.comparison();
        }
        self.at += 1;
        match word.as_str() {
            "actionmatches" => self.action_matches(),
            "suboperationmatches" => Ok(Expr::SubOperationMatches(self.set_of_text()?)),
            "exists" => Ok(Expr::Exists(self.attribute()?)),
            _ => Ok(Expr::Not(Box::new(Expr::Exists(self.attribute()?)))),
        }
    }

    fn action_matches(&mut self) -> Result<Expr, BadCondition> {
        let bad = self.expected("operation names");
        let patterns = self.set_of_text()?.iter().map(|text| Pattern::parse(text)).collect::<Result<_, _>>();
        patterns.map(Expr::ActionMatches).map_err(|_| bad)
    }

    fn attribute(&mut self) -> Result<Attribute, BadCondition> {
        let missing = self.expected("an attribute");
        match self.next() {
            Some(Token::Attribute(source, name)) => Ok(Attribute { source, name: Name::new(name) }),
            _ => Err(missing),
        }
    }

    fn set_of_text(&mut self) -> Result<Vec<String>, BadCondition> {
        let bad = self.expected("a set of strings in braces");
        if !self.take(&Token::SetOpen) {
            return Err(bad);
        }
        let text = |literal| match literal {
            RawLiteral::Quoted(raw) => Ok(unescaped(&raw)),
            RawLiteral::Plain(_) => Err(bad.clone()),
        };
        self.rest_of_set()?.into_iter().map(text).collect()
    }

    /// Literals up to the closing brace, the opening one being read.
    fn rest_of_set(&mut self) -> Result<Vec<RawLiteral>, BadCondition> {
        let mut literals = Vec::new();
        if self.take(&Token::SetClose) {
            return Ok(literals);
        }
        loop {
            literals.push(self.literal()?);
            if self.take(&Token::SetClose) {
                return Ok(literals);
            }
            if !self.take(&Token::Comma) {
                return Err(self.expected("',' or '}'"));
            }
        }
    }

    fn literal(&mut self) -> Result<RawLiteral, BadCondition> {
        let bad = self.expected("an attribute, a set or a value");
        Ok(match self.next() {
            Some(Token::Quoted(raw)) => RawLiteral::Quoted(raw),
            Some(Token::Number(number)) => RawLiteral::Plain(Value::Number(number)),
            Some(Token::Guid(guid)) => RawLiteral::Plain(Value::Guid(guid)),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") => {
                RawLiteral::Plain(Value::Bool(true))
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("false") => {
                RawLiteral::Plain(Value::Bool(false))
            }
            _ => return Err(bad),
        })
    }

    fn comparison(&mut self) -> Result<Expr, BadCondition> {
        let left_bad = self.expected("values of the operator's type on the left");
        let left = self.operand()?;
        let (cross, operator) = self.operator()?;
        let right_bad = self.expected("values of the operator's type on the right");
        let right = self.operand()?;
        let left = left.for_operator(operator, cross, false).ok_or(left_bad)?;
        let right = right.for_operator(operator, cross, true).ok_or(right_bad)?;
        Ok(Expr::Compare(Box::new(Compare { left, cross, operator, right })))
    }

    fn operand(&mut self) -> Result<RawOperand, BadCondition> {
        if let Some(Token::Attribute(..)) = self.peek() {
            return self.attribute().map(RawOperand::Attribute);
        }
        if self.take(&Token::SetOpen) {
            return self.rest_of_set().map(RawOperand::Set);
        }
        self.literal().map(RawOperand::One)
    }

    fn operator(&mut self) -> Result<(Option<Cross>, Operator), BadCondition> {
        let bad = self.expected("an operator");
        let Some(Token::Word(word)) = self.next() else { return Err(bad) };
        let Some(cross) = Cross::named(word) else {
            return Operator::named(word).map(|operator| (None, operator)).ok_or(bad);
        };
        if !self.take(&Token::Colon) {
            return Err(self.expected("':'"));
        }
        let bad = self.expected("an operator");
        match self.next() {
            Some(Token::Word(word)) => {
                Operator::named(word).map(|operator| (Some(cross), operator)).ok_or(bad)
            }
            _ => Err(bad),
        }
    }
}

impl RawOperand {
    /// The operand once its operator is known; `None` when they do not fit: a literal of another type, or several
    /// values where the operator takes one.
    fn for_operator(self, operator: Operator, cross: Option<Cross>, right: bool) -> Option<Operand> {
        let literals = match self {
            Self::Attribute(attribute) => return Some(Operand::Attribute(attribute)),
            Self::Set(literals) => literals,
            Self::One(literal) => vec![literal],
        };
        // The right side of a Like operator is a pattern, and its escapes are the pattern's.
        let keep_escapes = right && operator.is_like();
        let value = |literal| match literal {
            RawLiteral::Quoted(raw) if keep_escapes => Value::Text(raw),
            RawLiteral::Quoted(raw) => Value::Text(unescaped(&raw)),
            RawLiteral::Plain(value) => value,
        };
        let values: Vec<Value> = literals.into_iter().map(value).collect();
        let fits = (cross.is_some() || values.len() <= 1) && values.iter().all(|v| operator.accepts(v));
        fits.then_some(Operand::Values(values))
    }
}

/// The only part itself, or all of them joined.
fn one_or(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}
