use contract::Context;
use contract::software::{Backend, FindPrograms, Program, Programs};
use contract::types::Error;
use serde::Deserialize;

use crate::fixture::{Example, Partial};

/// The software of a fixture. A program without an id has that of its manager and name (`apt:nginx`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Fixture {
    /// What is installed, in any order.
    pub programs: Vec<Partial<Program>>,
}

/// The software that a fixture describes.
pub struct Memory(Fixture);

impl Memory {
    /// As described.
    pub fn new(mut fixture: Fixture) -> Self {
        for Partial(program) in &mut fixture.programs {
            if program.id.is_empty() {
                program.id = format!("{}:{}", program.manager, program.name);
            }
        }
        Self(fixture)
    }
}

#[async_trait::async_trait]
impl Backend for Memory {
    async fn find_programs(&self, _: &Context, call: &FindPrograms) -> Result<Programs, Error> {
        let pattern = super::pattern(&call.name)?;
        let matching = self.0.programs.iter().filter(|program| pattern.is_match(&program.name));
        Ok(super::page(matching.map(|program| program.0.clone()).collect()))
    }
}

impl Example for Program {
    fn example() -> Self {
        Self {
            id: String::new(),
            name: "example".to_owned(),
            version: "1.0-1".to_owned(),
            publisher: String::new(),
            manager: "apt".to_owned(),
            installed_ms: None,
            attributes: Vec::new(),
        }
    }
}
