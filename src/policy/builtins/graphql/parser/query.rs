//! Operations and fragments.

use super::{
    super::ast::{Field, Fragment, Inline, Operation, QueryDocument, Selection, Spread, VariableDefinition},
    Fault, Kind, Parser,
};

impl Parser<'_> {
    pub(super) fn query_document(mut self) -> Result<QueryDocument, Fault> {
        let mut document = QueryDocument::default();
        while !self.is(Kind::End) {
            if self.is_name("fragment") {
                document.fragments.push(self.fragment()?);
            } else if self.is(Kind::BraceL) {
                // gqlparser loses the comments before an operation without a keyword.
                let selection_set = self.selection_set()?;
                let operation = "query".to_owned();
                document.operations.push(Operation { operation, selection_set, ..Operation::default() });
            } else if ["query", "mutation", "subscription"].iter().any(|word| self.is_name(word)) {
                document.operations.push(self.operation()?);
            } else {
                return self.unexpected();
            }
        }
        Ok(document)
    }

    fn operation(&mut self) -> Result<Operation, Fault> {
        let comment = self.comments.take();
        let operation = self.name()?;
        let name = if self.is(Kind::Name) { self.name()? } else { String::new() };
        Ok(Operation {
            operation,
            name,
            variable_definitions: self.variable_definitions()?,
            directives: self.directives(false)?,
            selection_set: self.selection_set()?,
            comment,
        })
    }

    fn fragment(&mut self) -> Result<Fragment, Fault> {
        let comment = self.comments.take();
        self.keyword("fragment")?;
        let name = self.fragment_name()?;
        let variable_definition = self.variable_definitions()?;
        self.keyword("on")?;
        Ok(Fragment {
            name,
            variable_definition,
            type_condition: self.name()?,
            directives: self.directives(false)?,
            selection_set: self.selection_set()?,
            comment,
        })
    }

    fn fragment_name(&mut self) -> Result<String, Fault> {
        if self.next.text == "on" { self.unexpected() } else { self.name() }
    }

    fn variable_definitions(&mut self) -> Result<Vec<VariableDefinition>, Fault> {
        let definition = |parser: &mut Self| {
            let comment = parser.comments.take();
            parser.expect(Kind::Dollar)?;
            let variable = parser.name()?;
            parser.expect(Kind::Colon)?;
            let of = Some(parser.type_reference()?);
            let default_value = if parser.skip(Kind::Equals)? { Some(parser.value(true)?) } else { None };
            let directives = parser.directives(false)?;
            Ok(VariableDefinition { variable, of, default_value, directives, comment, used: false })
        };
        self.some(Kind::ParenL, Kind::ParenR, definition).map(|(definitions, _)| definitions)
    }

    fn selection_set(&mut self) -> Result<Vec<Selection>, Fault> {
        if !self.is(Kind::BraceL) {
            return self.unexpected();
        }
        self.some(Kind::BraceL, Kind::BraceR, Self::selection).map(|(selections, _)| selections)
    }

    fn selection(&mut self) -> Result<Selection, Fault> {
        let comment = self.comments.take();
        if !self.skip(Kind::Spread)? {
            return self.field().map(|field| Selection::Field(Field { comment, ..field }));
        }
        if self.is(Kind::Name) && self.next.text != "on" {
            let name = self.fragment_name()?;
            return Ok(Selection::Spread(Spread { name, directives: self.directives(false)?, comment }));
        }
        let mut type_condition = String::new();
        // A string "on" is one, too, in gqlparser.
        if self.next.text == "on" {
            self.take()?;
            type_condition = self.name()?;
        }
        let directives = self.directives(false)?;
        Ok(Selection::Inline(Inline { type_condition, directives, selection_set: self.selection_set()?, comment }))
    }

    fn field(&mut self) -> Result<Field, Fault> {
        let alias = self.name()?;
        let name = if self.skip(Kind::Colon)? { self.name()? } else { alias.clone() };
        let arguments = self.arguments(false)?;
        let directives = self.directives(false)?;
        let selection_set = if self.is(Kind::BraceL) { self.selection_set()? } else { Vec::new() };
        Ok(Field { alias, name, arguments, directives, selection_set, comment: None })
    }
}
