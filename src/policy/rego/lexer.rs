//! The words of a text: tokens, comments, and what is no token at all.
//!
//! Which of the words are keywords depends on the imports, so the parser decides that.

mod strings;

use std::sync::LazyLock;

use regex::Regex;

use super::ast::{Name, Span};
use super::parser::{MAX_FAULTS, SyntaxError};

pub(super) use strings::unescape;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ident,
    Package,
    Import,
    As,
    Default,
    Else,
    Not,
    Some,
    With,
    Null,
    True,
    False,
    In,
    Every,
    Contains,
    If,
    LogicalAnd,
    LogicalOr,
    Number,
    String,
    RawString,
    /// A template's text before an expression: from its quote or `}` to `{`.
    TemplatePart,
    /// A template's last text: from its quote or `}` to the closing quote.
    TemplateEnd,
    LeftBracket,
    RightBracket,
    LeftBrace,
    RightBrace,
    LeftParenthesis,
    RightParenthesis,
    Comma,
    Colon,
    Plus,
    Minus,
    Multiply,
    Divide,
    Remainder,
    And,
    Or,
    Unify,
    Equal,
    Assign,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Dot,
    Semicolon,
    /// Something that the lexer has a fault for.
    Illegal,
    End,
}

impl Kind {
    /// Whether it is written as a name is: a name, or any keyword.
    pub(super) fn is_word(self) -> bool {
        (self as u8) <= (Self::LogicalOr as u8)
    }
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Span,
    /// Whether there is space or a comment before it.
    pub(super) space: bool,
    /// Whether there is an end of line before it.
    pub(super) newline: bool,
}

/// All of a text.
#[derive(Debug, Default)]
pub(super) struct Lexed {
    /// The last is [`Kind::End`].
    pub(super) tokens: Vec<Token>,
    pub(super) comments: Vec<Name>,
    pub(super) faults: Vec<SyntaxError>,
}

/// A template whose expression is being read.
struct Template {
    raw: bool,
    /// Braces open inside the expression.
    braces: u32,
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    templates: Vec<Template>,
    lexed: Lexed,
}

/// Reads all tokens. The text is shorter than 4 GiB.
pub(super) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer { text, at: 0, templates: Vec::new(), lexed: Lexed::default() };
    if text.starts_with('\u{feff}') {
        lexer.at = '\u{feff}'.len_utf8();
    }
    for (at, illegal) in text.char_indices().filter(|(at, char)| *char == '\0' || (*char == '\u{feff}' && *at > 0)) {
        let cause = if illegal == '\0' { "a null character" } else { "a byte-order mark that is not at the start" };
        lexer.fault(at, at + illegal.len_utf8(), cause);
    }
    lexer.all();
    lexer.lexed
}

impl<'t> Lexer<'t> {
    fn all(&mut self) {
        loop {
            let (space, newline) = self.space();
            let start = self.at;
            let kind = self.token();
            self.lexed.tokens.push(Token { kind, span: span(start, self.at), space, newline });
            if kind == Kind::End {
                break;
            }
        }
    }

    /// Passes space and comments.
    fn space(&mut self) -> (bool, bool) {
        let (mut space, mut newline) = (false, false);
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    newline = true;
                }
                b'#' => {
                    let rest = self.rest();
                    let length = rest.find('\n').unwrap_or(rest.len());
                    let comment = rest.get(..length).unwrap_or_default().trim_end_matches('\r');
                    let (span, text) = (span(self.at, self.at + comment.len()), comment.to_owned());
                    self.lexed.comments.push(Name { span, text });
                    self.at += length;
                }
                _ => break,
            }
            space = true;
        }
        (space, newline)
    }

    fn token(&mut self) -> Kind {
        let start = self.at;
        let Some(byte) = self.peek(0) else { return Kind::End };
        let (kind, length) = match (byte, self.peek(1)) {
            (b'a'..=b'z' | b'A'..=b'Z' | b'_', _) => return self.word(),
            (b'0'..=b'9', _) => return self.number(),
            (b'"', _) => return self.string(),
            (b'`', _) => return self.raw_string(),
            (b'$', Some(b'"')) => return self.template(false, 2),
            (b'$', Some(b'`')) => return self.template(true, 2),
            (b'}', _) if self.templates.last().is_some_and(|template| template.braces == 0) => {
                let raw = self.templates.pop().is_some_and(|template| template.raw);
                return self.template(raw, 1);
            }
            (b'{', _) => {
                if let Some(template) = self.templates.last_mut() {
                    template.braces += 1;
                }
                (Kind::LeftBrace, 1)
            }
            (b'}', _) => {
                if let Some(template) = self.templates.last_mut() {
                    template.braces -= 1;
                }
                (Kind::RightBrace, 1)
            }
            (b'[', _) => (Kind::LeftBracket, 1),
            (b']', _) => (Kind::RightBracket, 1),
            (b'(', _) => (Kind::LeftParenthesis, 1),
            (b')', _) => (Kind::RightParenthesis, 1),
            (b',', _) => (Kind::Comma, 1),
            (b';', _) => (Kind::Semicolon, 1),
            (b'.', _) => (Kind::Dot, 1),
            (b'+', _) => (Kind::Plus, 1),
            (b'-', _) => (Kind::Minus, 1),
            (b'*', _) => (Kind::Multiply, 1),
            (b'/', _) => (Kind::Divide, 1),
            (b'%', _) => (Kind::Remainder, 1),
            (b'&', _) => (Kind::And, 1),
            (b'|', _) => (Kind::Or, 1),
            (b':', Some(b'=')) => (Kind::Assign, 2),
            (b':', _) => (Kind::Colon, 1),
            (b'=', Some(b'=')) => (Kind::Equal, 2),
            (b'=', _) => (Kind::Unify, 1),
            (b'>', Some(b'=')) => (Kind::GreaterOrEqual, 2),
            (b'>', _) => (Kind::Greater, 1),
            (b'<', Some(b'=')) => (Kind::LessOrEqual, 2),
            (b'<', _) => (Kind::Less, 1),
            (b'!', Some(b'=')) => (Kind::NotEqual, 2),
            _ => {
                let character = self.rest().chars().next().unwrap_or_default();
                self.at += character.len_utf8();
                if !matches!(character, '\0' | '\u{feff}') {
                    self.fault(start, self.at, &format!("`{}` has no meaning here", character.escape_debug()));
                }
                return Kind::Illegal;
            }
        };
        self.at += length;
        kind
    }

    fn word(&mut self) -> Kind {
        let rest = self.rest();
        let length = rest.find(|char| !is_word_part(char)).unwrap_or(rest.len());
        self.at += length;
        match rest.get(..length).unwrap_or_default() {
            "package" => Kind::Package,
            "import" => Kind::Import,
            "as" => Kind::As,
            "default" => Kind::Default,
            "else" => Kind::Else,
            "not" => Kind::Not,
            "some" => Kind::Some,
            "with" => Kind::With,
            "null" => Kind::Null,
            "true" => Kind::True,
            "false" => Kind::False,
            "in" => Kind::In,
            "every" => Kind::Every,
            "contains" => Kind::Contains,
            "if" => Kind::If,
            "and" => Kind::LogicalAnd,
            "or" => Kind::LogicalOr,
            _ => Kind::Ident,
        }
    }

    fn number(&mut self) -> Kind {
        let start = self.at;
        self.digits();
        let mut fault = None;
        if self.peek(0) == Some(b'.') {
            self.at += 1;
            if !self.digits() {
                fault = Some("a number has digits after its point");
            }
        }
        if matches!(self.peek(0), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(0), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !self.digits() {
                fault = fault.or(Some("a number has digits in its exponent"));
            }
        }
        let rest = self.rest();
        let excess = rest.find(|char| !is_word_part(char)).unwrap_or(rest.len());
        if excess > 0 && !rest.starts_with(|char: char| char.is_numeric()) {
            self.at += excess;
            fault = fault.or(Some("a number has no letters"));
        }
        match fault {
            None => Kind::Number,
            Some(cause) => {
                self.fault(start, self.at, cause);
                Kind::Illegal
            }
        }
    }

    /// Passes digits; says whether there were any.
    fn digits(&mut self) -> bool {
        let rest = self.rest();
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        self.at += length;
        length > 0
    }

    fn fault(&mut self, start: usize, end: usize, cause: &str) {
        // What is inside of an expression can't be told from what is after it any more.
        self.templates.clear();
        if self.lexed.faults.len() < MAX_FAULTS {
            self.lexed.faults.push(SyntaxError { span: span(start, end), cause: cause.to_owned(), help: None });
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

fn is_word_part(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_' || (!char.is_ascii() && is_digit(char))
}

/// Whether it is a decimal digit of any script.
fn is_digit(char: char) -> bool {
    static DIGIT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\d").ok());
    let digit = || DIGIT.as_ref().is_some_and(|digit| digit.is_match(char.encode_utf8(&mut [0; 4])));
    char.is_numeric() && digit()
}

fn span(start: usize, end: usize) -> Span {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: offset(start), end: offset(end) }
}
