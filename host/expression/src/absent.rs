//! What an expression asks for and is not there.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr};
use serde_json::Value;

/// The paths that an expression asks for, of those names, which values do not have: as far as each is missing, once each.
pub(crate) fn paths(expression: &IdedExpr, names: &[&'static str], values: &[(&str, &Value)]) -> Vec<String> {
    let mut absent = Absent { names, values, of_loops: Vec::new(), paths: Vec::new() };
    absent.walk(expression);
    absent.paths
}

struct Absent<'a> {
    names: &'a [&'static str],
    values: &'a [(&'a str, &'a Value)],
    of_loops: Vec<&'a str>,
    paths: Vec<String>,
}

impl<'a> Absent<'a> {
    fn walk(&mut self, expression: &'a IdedExpr) {
        if let Some(path) = self.path(expression) {
            return self.look(&path);
        }
        match &expression.expr {
            Expr::Select(select) => self.walk(&select.operand),
            Expr::List(list) => list.elements.iter().for_each(|it| self.walk(it)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.walk(&entry.key);
                        self.walk(&entry.value);
                    }
                }
            }
            Expr::Call(call) => call.target.iter().map(|it| &**it).chain(&call.args).for_each(|it| self.walk(it)),
            Expr::Comprehension(it) => {
                self.walk(&it.iter_range);
                let outside = self.of_loops.len();
                self.of_loops.extend(it.iter_var2.as_deref().into_iter().chain([it.iter_var.as_str(), &it.accu_var]));
                [&it.accu_init, &it.loop_cond, &it.loop_step, &it.result].into_iter().for_each(|it| self.walk(it));
                self.of_loops.truncate(outside);
            }
            Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) | Expr::Unspecified => {}
        }
    }

    /// `os`, `family` of `os.family`; of `has(os.family)` only `os`, for it asks whether the rest is there.
    fn path(&self, expression: &'a IdedExpr) -> Option<Vec<&'a str>> {
        match &expression.expr {
            Expr::Ident(name) if self.names.contains(&name.as_str()) && !self.of_loops.contains(&name.as_str()) => {
                Some(vec![name])
            }
            Expr::Select(select) => {
                let mut path = self.path(&select.operand)?;
                path.extend((!select.test).then_some(select.field.as_str()));
                Some(path)
            }
            _ => None,
        }
    }

    fn look(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else { return };
        let mut value = self.values.iter().find(|(name, _)| name == first).map(|(_, value)| *value);
        let mut so_far = (*first).to_owned();
        for name in rest {
            let Some(found) = value else { break };
            value = found.get(name);
            so_far = format!("{so_far}.{name}");
        }
        if value.is_none() && !self.paths.contains(&so_far) {
            self.paths.push(so_far);
        }
    }
}
