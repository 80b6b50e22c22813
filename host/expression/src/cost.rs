//! How long an expression may take on some data, at most. It is told from both, without asking either.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use serde_json::Value;

/// So many bytes are looked at in one step.
const BYTES_A_STEP: u64 = 16;

/// A pattern looks at each byte as often as it has places where it may be: that is the worst that its library does.
const STEPS_A_MATCHED_BYTE: u64 = 32;

/// An upper bound of the steps that an expression takes.
pub(crate) fn steps(expression: &IdedExpr, values: &[(&str, &Value)]) -> u64 {
    let names = values.iter().map(|(name, value)| (*name, Size::Known(value))).collect();
    let mut cost = Cost { names, steps: 0, times: 1 };
    cost.of(expression);
    cost.steps
}

/// How large a value may be.
#[derive(Clone, Copy)]
enum Size<'a> {
    /// This one.
    Known(&'a Value),
    /// At most so many bytes, in lists and maps of at most so many members.
    Most { bytes: u64, members: u64 },
}

const SMALL: Size<'static> = Size::Most { bytes: 16, members: 0 };

impl<'a> Size<'a> {
    fn most(self) -> (u64, u64) {
        match self {
            Self::Known(value) => size(value),
            Self::Most { bytes, members } => (bytes, members),
        }
    }

    fn of(bytes: u64, members: u64) -> Self {
        Self::Most { bytes, members }
    }

    /// That of a member of this name.
    fn member(self, name: &str) -> Self {
        match self {
            Self::Known(value) => value.get(name).map_or(SMALL, Self::Known),
            Self::Most { .. } => self,
        }
    }

    /// That of any member.
    fn any_member(self) -> Self {
        let Self::Known(value) = self else { return self };
        let largest = |(bytes, members): (u64, u64), it: &Value| {
            let (its_bytes, its_members) = size(it);
            (bytes.max(its_bytes), members.max(its_members))
        };
        let (bytes, members) = match value {
            // Of those that are alike it is known what is in each.
            Value::Array(all)
                if all.len() > 1 && all.iter().zip(all.iter().skip(1)).all(|(one, other)| one == other) =>
            {
                return all.first().map_or(SMALL, Self::Known);
            }
            Value::Array(all) => all.iter().fold((16, 0), largest),
            // A loop over a map has its keys.
            Value::Object(all) => all.iter().fold((16, 0), |most, (key, it)| {
                let (bytes, members) = largest(most, it);
                (bytes.max(16 + length(key)), members)
            }),
            _ => (16, 0),
        };
        Self::of(bytes, members)
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// The bytes of a value, and the most members of anything in it.
fn size(value: &Value) -> (u64, u64) {
    let both = |all: &mut dyn Iterator<Item = (u64, u64)>, count: usize| {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        all.fold((16, count), |(bytes, members), (more, inner)| (bytes + more, members.max(inner)))
    };
    match value {
        Value::String(text) => (16 + length(text), 0),
        Value::Array(all) => both(&mut all.iter().map(size), all.len()),
        Value::Object(all) => {
            let entry = |(key, it): (&String, &Value)| (size(it).0.saturating_add(16 + length(key)), size(it).1);
            both(&mut all.iter().map(entry), all.len())
        }
        _ => (16, 0),
    }
}

struct Cost<'a> {
    names: Vec<(&'a str, Size<'a>)>,
    steps: u64,
    /// How often what is looked at now is done.
    times: u64,
}

impl<'a> Cost<'a> {
    fn add(&mut self, steps: u64) {
        self.steps = self.steps.saturating_add(steps.saturating_mul(self.times));
    }

    fn of(&mut self, expression: &'a IdedExpr) -> Size<'a> {
        self.add(1);
        match &expression.expr {
            Expr::Literal(LiteralValue::String(text)) => Size::of(16 + length(text.inner()), 0),
            Expr::Literal(LiteralValue::Bytes(bytes)) => {
                Size::of(16 + u64::try_from(bytes.inner().len()).unwrap_or(u64::MAX), 0)
            }
            Expr::Literal(_) | Expr::Unspecified | Expr::Struct(_) => SMALL,
            Expr::Ident(name) => self.names.iter().rev().find(|(it, _)| it == name).map_or(SMALL, |(_, size)| *size),
            Expr::Select(select) => {
                let operand = self.of(&select.operand);
                if select.test { SMALL } else { operand.member(&select.field) }
            }
            Expr::List(list) => self.together(list.elements.iter()),
            Expr::Map(map) => {
                let entries = map.entries.iter().filter_map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => Some([&entry.key, &entry.value]),
                    EntryExpr::StructField(_) => None,
                });
                self.together(entries.flatten())
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    /// A list or a map of these.
    fn together(&mut self, all: impl Iterator<Item = &'a IdedExpr>) -> Size<'a> {
        let (mut bytes, mut members, mut count) = (16_u64, 0, 0);
        for it in all {
            let (more, inner) = self.of(it).most();
            bytes = bytes.saturating_add(more);
            members = members.max(inner);
            count += 1;
        }
        self.add(bytes / BYTES_A_STEP);
        Size::of(bytes, members.max(count))
    }

    fn call(&mut self, call: &'a CallExpr) -> Size<'a> {
        let arguments: Vec<Size<'a>> =
            call.target.iter().map(|it| &**it).chain(&call.args).map(|it| self.of(it)).collect();
        let (mut bytes, mut members, mut total_members) = (0_u64, 0, 0_u64);
        match call.func_name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT | operators::NOT_STRICTLY_FALSE => {
                return SMALL;
            }
            operators::INDEX => {
                let text = call.args.last().and_then(|it| match &it.expr {
                    Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
                    _ => None,
                });
                let operand = arguments.first().copied().unwrap_or(SMALL);
                return text.map_or_else(|| operand.any_member(), |text| operand.member(text));
            }
            operators::CONDITIONAL => {
                for (more, inner) in arguments.iter().skip(1).map(|it| it.most()) {
                    (bytes, members) = (bytes.max(more), members.max(inner));
                }
                return Size::of(bytes, members);
            }
            _ => {}
        }
        for (more, inner) in arguments.iter().map(|it| it.most()) {
            bytes = bytes.saturating_add(more);
            total_members = total_members.saturating_add(inner);
        }
        let is_match = call.func_name == "matches";
        self.add(if is_match { bytes.saturating_mul(STEPS_A_MATCHED_BYTE) } else { bytes / BYTES_A_STEP });
        match call.func_name.as_str() {
            operators::ADD | "dyn" => Size::of(bytes, total_members),
            // A number may have 300 digits.
            "string" => Size::of(bytes.saturating_add(512), 0),
            _ => SMALL,
        }
    }

    fn comprehension(&mut self, it: &'a ComprehensionExpr) -> Size<'a> {
        let range = self.of(&it.iter_range);
        let (bytes, times) = range.most();
        // Members are copied one after another.
        self.add(bytes / BYTES_A_STEP);
        let (begin_bytes, begin_members) = self.of(&it.accu_init).most();
        let (outside, outside_times) = (self.names.len(), self.times);
        self.names.push((&it.iter_var, range.any_member()));
        self.names.extend(it.iter_var2.as_deref().map(|name| (name, range.any_member())));
        // What one turn adds is told from one that begins with nothing: nothing else can be done with the sum.
        self.names.push((&it.accu_var, SMALL));
        self.times = self.times.saturating_mul(times.max(1));
        self.of(&it.loop_cond);
        let (step_bytes, step_members) = self.of(&it.loop_step).most();
        self.times = outside_times;
        self.names.truncate(outside);
        Size::of(
            begin_bytes.saturating_add(step_bytes.saturating_mul(times)),
            begin_members.saturating_add(times).max(step_members),
        )
    }
}
