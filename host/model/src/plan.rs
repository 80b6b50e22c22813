//! A plan: the mutations that a dry run found, and what binds an enforce run to them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Digest;

/// One mutation with its arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Mutation {
    /// The interface.
    pub interface: String,
    /// The function.
    pub function: String,
    /// The arguments that say what is done.
    pub arguments: Value,
    /// Arguments that only narrow when it is done, such as `unchanged-since-ms`. They differ from run to run, so they do not
    /// bind; a bound run uses those of the plan.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub guards: Value,
}

/// The mutations of a dry run, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// What would be done.
    pub mutations: Vec<Mutation>,
    /// The first mutation (from 0) after which the plan may be wrong: a later read could not see what was planned before it.
    /// None where every read saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_from: Option<u64>,
}

impl Plan {
    /// The digest that an order or `--plan` names: of plugin, parameters and mutations, guards left out.
    pub fn digest(&self, plugin: Digest, parameters: &Value) -> Digest {
        let mutations: Vec<Value> = self
            .mutations
            .iter()
            .map(|it| json!({ "interface": it.interface, "function": it.function, "arguments": it.arguments }))
            .collect();
        Digest::of_json(&json!({ "plugin": plugin, "parameters": parameters, "mutations": mutations }))
    }
}

/// A plan that an enforce run is held to: each mutation once, in order, and nothing else. Some may be left out, because the
/// machine may by now be as it should.
#[derive(Clone, Debug)]
pub struct BoundPlan {
    plan: Plan,
    next: usize,
}

impl BoundPlan {
    /// Holds to this plan.
    pub fn new(plan: Plan) -> Self {
        Self { plan, next: 0 }
    }

    /// Takes the next mutation that is exactly this one; none where the plan has no more of it.
    pub fn take(&mut self, interface: &str, function: &str, arguments: &Value) -> Option<&Mutation> {
        let rest = self.plan.mutations.get(self.next..)?;
        let at = rest
            .iter()
            .position(|it| it.interface == interface && it.function == function && it.arguments == *arguments)?;
        self.next += at + 1;
        self.plan.mutations.get(self.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutation(target: &str, guard: u64) -> Mutation {
        Mutation {
            interface: "files-write".into(),
            function: "remove-entries".into(),
            arguments: json!({ "path": target }),
            guards: json!({ "unchanged-since-ms": guard }),
        }
    }

    fn plan(targets: &[&str]) -> Plan {
        Plan { mutations: targets.iter().map(|target| mutation(target, 1)).collect(), incomplete_from: None }
    }

    #[test]
    fn a_bound_plan_gives_each_mutation_once_and_in_order() {
        let take = |plan: &mut BoundPlan, path: &str| {
            plan.take("files-write", "remove-entries", &json!({ "path": path })).is_some()
        };
        let mut bound = BoundPlan::new(plan(&["a", "b", "c"]));
        assert!(take(&mut bound, "a"));
        assert!(!take(&mut bound, "a"), "once");
        assert!(take(&mut bound, "c"), "others may be left out");
        assert!(!take(&mut bound, "b"), "not backwards");
        assert!(!take(&mut BoundPlan::new(plan(&[])), "a"), "nothing else");
    }

    #[test]
    fn the_digest_binds_what_is_done_and_not_its_guards() {
        let digest = |plan: &Plan| plan.digest(Digest::of(b"plugin"), &json!({ "days": 7 }));
        let base = plan(&["a", "b"]);
        let mut guarded = base.clone();
        guarded.mutations[0].guards = json!({ "unchanged-since-ms": 2 });
        assert_eq!(digest(&base), digest(&guarded));
        assert_ne!(digest(&base), digest(&plan(&["b", "a"])));
        assert_ne!(digest(&base), base.digest(Digest::of(b"other"), &json!({ "days": 7 })));
        assert_ne!(digest(&base), base.digest(Digest::of(b"plugin"), &json!({ "days": 8 })));
    }
}
