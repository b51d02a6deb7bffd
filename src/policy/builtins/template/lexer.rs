//! A template's text to tokens: text, and what is between `{{` and `}}`.

use super::Fault;

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Text(String),
    Left,
    Right,
    Space,
    Assign,
    Declare,
    Pipe,
    ParenL,
    ParenR,
    Comma,
    Dot,
    /// `.name`, without the dot.
    Field(String),
    /// `$name`, with the dollar.
    Variable(String),
    Word(String),
    /// A number or a character, as written.
    Number(String),
    /// A string; a template's strings are bytes.
    Quoted(Vec<u8>),
}

fn fault<T>(cause: &str) -> Result<T, Fault> {
    Err(Fault::Failed(cause.to_owned()))
}

/// All tokens of a template.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let trims = trims_before(after);
        let before = if trims { before.trim_end_matches(SPACES) } else { before };
        if !before.is_empty() {
            tokens.push(Token::Text(before.to_owned()));
        }
        let after = if trims { after.get(2..).unwrap_or_default() } else { after };
        rest = match after.strip_prefix("/*") {
            Some(comment) => {
                let Some((_, after)) = comment.split_once("*/") else { return fault("unclosed comment") };
                let Some(after) = right(after) else { return fault("comment ends before closing delimiter") };
                after
            }
            None => action(after, &mut tokens)?,
        };
    }
    if !rest.is_empty() {
        tokens.push(Token::Text(rest.to_owned()));
    }
    Ok(tokens)
}

/// `- `, as it follows `{{`.
fn trims_before(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with(SPACES))
}

/// What follows `}}` or ` -}}` where `text` begins with it.
fn right(text: &str) -> Option<&str> {
    let trimmed = text.strip_prefix(SPACES).and_then(|rest| rest.strip_prefix("-}}"));
    trimmed.map(|rest| rest.trim_start_matches(SPACES)).or_else(|| text.strip_prefix("}}"))
}

/// Reads one action; gives what follows it.
fn action<'a>(mut rest: &'a str, tokens: &mut Vec<Token>) -> Result<&'a str, Fault> {
    tokens.push(Token::Left);
    let mut parens = 0_usize;
    loop {
        if let Some(after) = right(rest) {
            if parens > 0 {
                return fault("unclosed left paren");
            }
            tokens.push(Token::Right);
            return Ok(after);
        }
        let Some(first) = rest.chars().next() else { return fault("unclosed action") };
        let mut length = first.len_utf8();
        let token = match first {
            _ if SPACES.contains(&first) => {
                length = rest.len() - rest.trim_start_matches(SPACES).len();
                // The last of several may belong to ` -}}`.
                let all = rest.get(..length).unwrap_or_default();
                if rest.get(length..).is_some_and(|after| after.starts_with("-}}")) {
                    length = all.len() - 1;
                }
                Token::Space
            }
            '=' => Token::Assign,
            ':' if rest.starts_with(":=") => {
                length = 2;
                Token::Declare
            }
            ':' => return fault("expected :="),
            '|' => Token::Pipe,
            ',' => Token::Comma,
            '(' => {
                parens += 1;
                Token::ParenL
            }
            ')' => {
                parens = parens.checked_sub(1).ok_or(Fault::Failed("unexpected right paren".to_owned()))?;
                Token::ParenR
            }
            '"' | '`' | '\'' => {
                length = quoted(rest, first)?;
                let literal = rest.get(..length).unwrap_or_default();
                let inner = literal.get(1..length - 1).unwrap_or_default();
                match first {
                    '"' => Token::Quoted(unquoted(inner, '"')?),
                    '`' => Token::Quoted(inner.replace('\r', "").into_bytes()),
                    _ => Token::Number(literal.to_owned()),
                }
            }
            '.' if !rest.get(1..).is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit())) => {
                length += word(rest.get(1..).unwrap_or_default());
                ends(rest, length)?;
                match rest.get(1..length).unwrap_or_default() {
                    "" => Token::Dot,
                    name => Token::Field(name.to_owned()),
                }
            }
            '$' => {
                length += word(rest.get(1..).unwrap_or_default());
                ends(rest, length)?;
                Token::Variable(rest.get(..length).unwrap_or_default().to_owned())
            }
            '.' | '+' | '-' | '0'..='9' => {
                length = number(rest)?;
                Token::Number(rest.get(..length).unwrap_or_default().to_owned())
            }
            _ if is_word(first) => {
                length = word(rest);
                ends(rest, length)?;
                Token::Word(rest.get(..length).unwrap_or_default().to_owned())
            }
            _ => return fault("unrecognized character in action"),
        };
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphabetic() || character.is_numeric()
}

fn word(text: &str) -> usize {
    text.find(|character| !is_word(character)).unwrap_or(text.len())
}

/// A name ends at something that can follow one.
fn ends(text: &str, at: usize) -> Result<(), Fault> {
    let rest = text.get(at..).unwrap_or_default();
    let ends = rest.is_empty() || rest.starts_with(SPACES) || rest.starts_with(['.', ',', '|', ':', ')', '(']);
    if ends || rest.starts_with("}}") { Ok(()) } else { fault("bad character") }
}

/// The length of a literal between two `quote`s.
fn quoted(text: &str, quote: char) -> Result<usize, Fault> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if quote != '`' && character == '\n' {
            break;
        }
        if escaped {
            escaped = false;
        } else if character == '\\' && quote != '`' {
            escaped = true;
        } else if character == quote {
            return Ok(at + 1);
        }
    }
    fault("unterminated literal")
}

fn number(text: &str) -> Result<usize, Fault> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let mut at = usize::from(matches!(byte(0), b'+' | b'-'));
    let radix = match (byte(at), byte(at + 1)) {
        (b'0', b'x' | b'X') => 16,
        (b'0', b'o' | b'O') => 8,
        (b'0', b'b' | b'B') => 2,
        _ => 10,
    };
    at += if radix == 10 { 0 } else { 2 };
    let digits = |mut at: usize, radix: u32| {
        while char::from(byte(at)).is_digit(radix) || byte(at) == b'_' {
            at += 1;
        }
        at
    };
    at = digits(at, radix);
    if byte(at) == b'.' {
        at = digits(at + 1, radix);
    }
    let exponent = match radix {
        10 => matches!(byte(at), b'e' | b'E'),
        16 => matches!(byte(at), b'p' | b'P'),
        _ => false,
    };
    if exponent {
        at += 1 + usize::from(matches!(byte(at + 1), b'+' | b'-'));
        at = digits(at, 10);
    }
    let follows = text.get(at..).and_then(|rest| rest.chars().next());
    if follows.is_some_and(|next| is_word(next) || next == '+' || next == '-') {
        return fault("bad number syntax");
    }
    Ok(at)
}

/// The bytes of a Go string's inner text.
pub(super) fn unquoted(inner: &str, quote: char) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = rest.next().unwrap_or_default();
        let mut code = |digits: usize, radix: u32, start: &str| {
            let mut text = start.to_owned();
            text.extend(rest.by_ref().take(digits));
            let full = text.len() == digits + start.len() && text.chars().all(|digit| digit.is_digit(radix));
            u32::from_str_radix(&text, radix).ok().filter(|_| full).ok_or(Fault::Failed("invalid syntax".to_owned()))
        };
        let byte = match escape {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            _ if escape == quote => u8::try_from(quote).unwrap_or_default(),
            'x' => u8::try_from(code(2, 16, "")?).unwrap_or_default(),
            '0'..='7' => {
                let code = code(2, 8, &escape.to_string())?;
                u8::try_from(code).or_else(|_| fault("invalid syntax"))?
            }
            'u' | 'U' => {
                let code = code(if escape == 'u' { 4 } else { 8 }, 16, "")?;
                let Some(character) = char::from_u32(code) else { return fault("invalid syntax") };
                bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return fault("invalid syntax"),
        };
        bytes.push(byte);
    }
    Ok(bytes)
}
