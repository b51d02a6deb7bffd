//! Pipes, their commands, and the operands of these.

use super::{
    super::{functions, number, value::Value},
    Fault, Operand, Parser, Pipe, Token, failed,
};

impl Parser {
    pub(super) fn pipe(&mut self, context: &str, end: &Token) -> Result<Pipe, Fault> {
        let mut pipe = Pipe::default();
        self.space();
        let mut pending = None;
        while let Some(Token::Variable(name)) = self.next.clone() {
            self.take();
            let spaced = self.next == Some(Token::Space);
            self.space();
            match self.next {
                Some(Token::Assign | Token::Declare) => {
                    pipe.assigns = self.take() == Some(Token::Assign);
                    pipe.variables.push(name);
                }
                Some(Token::Comma) => {
                    self.take();
                    pipe.variables.push(name);
                    self.space();
                    let goes_on = matches!(self.next, Some(Token::Variable(_) | Token::Right | Token::ParenR));
                    if context == "range" && pipe.variables.len() < 2 && goes_on {
                        continue;
                    }
                    return failed("too many declarations");
                }
                _ => pending = Some((name, spaced)),
            }
            break;
        }
        // An assignment needs a variable that is there; an unknown one is noticed when it is assigned.
        self.variables.extend(pipe.variables.iter().cloned());
        if let Some((name, spaced)) = pending {
            pipe.commands.push(self.command(Some((name, spaced)))?);
        }
        loop {
            self.space();
            match &self.next {
                Some(next) if next == end => {
                    self.take();
                    break;
                }
                Some(
                    Token::Dot
                    | Token::Field(_)
                    | Token::Word(_)
                    | Token::Number(_)
                    | Token::Quoted(_)
                    | Token::Variable(_)
                    | Token::ParenL,
                ) => pipe.commands.push(self.command(None)?),
                _ => return failed("unexpected token"),
            }
        }
        let executable = |command: &Vec<Operand>| {
            !matches!(command.first(), Some(Operand::Dot | Operand::Nil | Operand::Literal(_)) | None)
        };
        if pipe.commands.is_empty() {
            return failed("missing value");
        }
        if !pipe.commands.iter().skip(1).all(executable) {
            return failed("non executable command in pipeline");
        }
        Ok(pipe)
    }

    /// A command; `first` is a variable that was read already, and whether space follows it.
    fn command(&mut self, first: Option<(String, bool)>) -> Result<Vec<Operand>, Fault> {
        let mut operands = Vec::new();
        let mut spaced = false;
        if let Some((name, space)) = first {
            let operand = self.variable(name)?;
            operands.push(if space { operand } else { self.fields(operand)? });
            spaced = space;
        }
        loop {
            if operands.is_empty() || spaced {
                self.space();
                operands.extend(self.operand()?);
            }
            match &self.next {
                Some(Token::Space) => {
                    self.take();
                    spaced = true;
                }
                Some(Token::Right | Token::ParenR) => break,
                Some(Token::Pipe) => {
                    self.take();
                    break;
                }
                _ => return failed("unexpected token in operand"),
            }
        }
        if operands.is_empty() { failed("empty command") } else { Ok(operands) }
    }

    fn variable(&self, name: String) -> Result<Operand, Fault> {
        if !self.variables.contains(&name) {
            return failed("undefined variable");
        }
        Ok(Operand::Variable(name, Vec::new()))
    }

    fn operand(&mut self) -> Result<Option<Operand>, Fault> {
        let term = match self.next.clone() {
            Some(Token::Dot) => Operand::Dot,
            Some(Token::Field(name)) => Operand::Field(vec![name]),
            Some(Token::Variable(name)) => self.variable(name)?,
            Some(Token::Quoted(text)) => Operand::Literal(Value::text(text)),
            Some(Token::Number(text)) => Operand::Literal(number::literal(&text)?),
            Some(Token::Word(word)) => match word.as_str() {
                "nil" => Operand::Nil,
                "true" | "false" => Operand::Literal(Value::Bool(word == "true")),
                word => match functions::NAMES.iter().find(|name| **name == word) {
                    Some(name) => Operand::Function(name),
                    None => return failed("function not defined"),
                },
            },
            Some(Token::ParenL) => {
                self.take();
                let pipe = self.nested(|parser| parser.pipe("parenthesized pipeline", &Token::ParenR))?;
                return self.fields(Operand::Pipe(pipe)).map(Some);
            }
            _ => return Ok(None),
        };
        self.take();
        self.fields(term).map(Some)
    }

    /// The fields right behind an operand.
    fn fields(&mut self, operand: Operand) -> Result<Operand, Fault> {
        let mut names = Vec::new();
        while let Some(Token::Field(name)) = self.next.clone() {
            names.push(name);
            self.take();
        }
        if names.is_empty() {
            return Ok(operand);
        }
        Ok(match operand {
            Operand::Field(mut path) => {
                path.extend(names);
                Operand::Field(path)
            }
            Operand::Variable(name, mut path) => {
                path.extend(names);
                Operand::Variable(name, path)
            }
            Operand::Dot | Operand::Nil | Operand::Literal(_) => return failed("unexpected . after term"),
            other => Operand::Chain(Box::new(other), names),
        })
    }
}
