//! Where a template's value may be several: items of a list, turns of a loop.

use super::{Fail, Form, Items, Template};
use crate::language::scope::Env;
use crate::language::value::{Turns, Val};

impl Template {
    /// Writes what the template gives as items of a list.
    pub(in crate::language) fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        match &self.0 {
            Form::Op(op) => op.items(env, items),
            Form::Hole(source) => {
                // Several selected nodes are several items; a list that is one node is one item.
                match source.value(env) {
                    Val::List(values) => {
                        for value in values.iter() {
                            items.item(|out| Ok(value.write(out)))?;
                        }
                        Ok(())
                    }
                    value => items.item(|out| Ok(value.write(out))).map(drop),
                }
            }
            _ => items.item(|out| self.write_uncut(env, out)).map(drop),
        }
    }

    /// What a loop over the template's value runs over.
    pub(in crate::language) fn turns<'a>(&self, env: &mut Env<'a>) -> Result<Turns<'a>, Fail> {
        match &self.0 {
            Form::Hole(source) => Ok(source.turns(env)),
            Form::Op(op) => op.turns(env),
            Form::List(list) => {
                let mut values = Vec::new();
                list.iter().try_for_each(|item| item.gather(env, &mut values))?;
                Ok(Turns::values(values))
            }
            _ => self.value(env).map(Val::turns),
        }
    }

    /// Adds what [`Template::items`] writes to `values`, without writing it where that is cheaper.
    pub(in crate::language) fn gather<'a>(
        &self,
        env: &mut Env<'a>,
        values: &mut Vec<Val<'a>>,
    ) -> Result<(), Fail> {
        match &self.0 {
            Form::Op(op) => return op.gather(env, values),
            Form::Hole(source) if let Some((path, node)) = source.nodes(env) => {
                path.visit(node, node, |found| {
                    if !found.is_null() {
                        values.push(Val::Json(found));
                    }
                    true
                });
            }
            Form::Hole(source) => match source.value(env) {
                Val::List(nodes) => {
                    values.extend(
                        nodes.iter().filter(|node| !node.is_nothing()).map(|node| node.clone().one()),
                    );
                }
                value if value.is_nothing() => {}
                value => values.push(value.one()),
            },
            Form::Nothing => {}
            _ => values.push(self.value(env)?),
        }
        Ok(())
    }

    /// The template's value; of several selected nodes the first.
    pub(in crate::language) fn first<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        let value = match &self.0 {
            Form::Hole(source) => source.first(env),
            _ => self.value(env)?,
        };
        Ok(match value {
            Val::List(nodes) => nodes.first().cloned().unwrap_or_default(),
            value => value,
        })
    }
}
